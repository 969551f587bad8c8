package rejection

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestAnInvalidTokenIsFoundInChallenges(t *testing.T) {
	for _, test := range []struct {
		want   bool
		fields []string
	}{
		{true, []string{`Bearer error="invalid_token"`}},
		{true, []string{`bearer realm="api", error="invalid_token", error_description="expired"`}},
		{true, []string{`BEARER error=invalid_token`}},
		{true, []string{`Bearer realm="a\"b, error=x", ERROR = "invalid_token"`}},
		{true, []string{`Basic realm="x", Bearer realm="y", error="invalid_token"`}},
		{true, []string{`Basic realm="x"`, `Bearer error="invalid_token"`}},
		{true, []string{`Negotiate abc==, Bearer error="invalid_token"`}},
		{true, []string{`DPoP algs="ES256", error="invalid_token"`}},
		{true, []string{`Bearer scope="a",,error="invalid_token"`}},
		{false, []string{`Bearer error="insufficient_scope"`}},
		{false, []string{`Bearer realm="error=\"invalid_token\""`}},
		{false, []string{`Bearer error_description="invalid_token"`}},
		{false, []string{`Bearer realm="x", Basic error="invalid_token"`}},
		{false, []string{`Basic realm="Bearer error=invalid_token"`}},
		{false, []string{`invalid_token`}},
		{false, []string{`Bearer`, `error="invalid_token"`}},
		{false, []string{``}},
		{false, nil},
	} {
		if got := namesInvalidToken(test.fields); got != test.want {
			t.Errorf("%q: %v", test.fields, got)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer realm="a\"b", error="invalid_token"`)
	f.Add(`Negotiate abc==, Bearer error = invalid_token,`)
	f.Add("Bearer \"\\")
	f.Fuzz(func(t *testing.T, field string) {
		if namesInvalidToken([]string{field}) && !strings.Contains(strings.ReplaceAll(field, `\`, ""), "invalid_token") {
			t.Errorf("%q", field)
		}
	})
}

func TestMembersAreFoundInTheBeginningOfJSON(t *testing.T) {
	for _, test := range []struct {
		text, path, want string
		found            bool
	}{
		{`{"errcode":40001,"errmsg":"x"}`, "errcode", "40001", true},
		{`{"errcode":"40001"}`, "errcode", "40001", true},
		{` {"a":{"b":{"c":true}}}`, "a.b.c", "true", true},
		{`{"a":{"x":[1,{"y":2}]},"b":"after"}`, "b", "after", true},
		{`{"errors":[{"code":"a"},{"code":"b"}]}`, "errors.1.code", "b", true},
		{`[{"code":"a"}]`, "0.code", "a", true},
		{`{"a.b":{"c":1}}`, "a.b.c", "1", true},
		{`{"a":1,"a.b":2}`, "a.b", "2", true},
		{`{"error":{"message":"x"}}`, "error", "", true},
		{`{"error":null}`, "error", "", false},
		{`{"error":{}}`, "error.code", "", false},
		{`{"code":4.0E4}`, "code", "4.0E4", true},
		{`{"code":400`, "code", "", false}, // 40001, if it goes on
		{`{"code":400,`, "code", "400", true},
		{`{"code":"400`, "code", "", false},
		{`{"data":"` + strings.Repeat("x", 5000), "code", "", false},
		{`{"code":1} {"code":2}`, "code", "1", true},
		{`<html>`, "code", "", false},
		{``, "code", "", false},
		{`"code"`, "code", "", false},
		{strings.Repeat("[", 100000), "0.0.0.0", "", true},
	} {
		text, found := findText([]byte(test.text), test.path)
		if text != test.want || found != test.found {
			t.Errorf("%s in %.40q: %q, %v", test.path, test.text, text, found)
		}
	}
}

// What is found in a beginning is what is found in the whole, and that is what
// encoding/json finds.
func FuzzBeginningOfJSON(f *testing.F) {
	f.Add([]byte(`{"errcode":40001,"data":{"errors":[{"code":"x"}]}}`), "data.errors.0.code", 20)
	f.Add([]byte(`{"errcode":40001}`), "errcode", 14)
	f.Add([]byte(`[[[{"":1}]]]`), "0.0.0.", 3)
	f.Fuzz(func(t *testing.T, whole []byte, path string, cut int) {
		text, found := findText(whole, path)
		if cut >= 0 && cut < len(whole) {
			if early, is := findText(whole[:cut], path); is && (!found || early != text) {
				t.Errorf("%q: %q in the first %d bytes, later %q", path, early, cut, text)
			}
		}
		var members map[string]json.RawMessage
		if strings.Contains(path, ".") || json.Unmarshal(whole, &members) != nil || bytes.Count(whole, []byte(`"`+path+`"`)) != 1 {
			return
		}
		var want string
		if raw, ok := members[path]; ok && json.Unmarshal(raw, &want) == nil && string(raw) != "null" && (!found || text != want) {
			t.Errorf("%q: %q, %v; want %q", path, text, found, want)
		}
	})
}

func TestALookAtTheBeginningChangesNoByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.SliceOfN(rapid.Byte(), 0, 3*beginningSize).Draw(t, "body")
		body := io.NopCloser(&pieces{rest: whole, size: rapid.IntRange(1, 2*beginningSize).Draw(t, "size")})
		res := &http.Response{Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
		begun := jsonBeginning(&http.Request{Method: "GET"}, res)
		if len(begun) > beginningSize {
			t.Fatalf("%d bytes were looked at", len(begun))
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(whole), err)
		}
	})
}

// pieces yields a few bytes at a time.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func TestAStreamThatHasNothingToTellYetIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, upstream := io.Pipe()
		res := &http.Response{Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
		began := time.Now()
		if got := jsonBeginning(&http.Request{Method: "GET"}, res); got != nil || time.Since(began) != beginningPatience {
			t.Errorf("got %q after %s", got, time.Since(began))
		}
		go func() { _, _ = io.WriteString(upstream, `{"a":`); _ = upstream.Close() }()
		if got, err := io.ReadAll(res.Body); err != nil || string(got) != `{"a":` {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestAStreamThatIsGivenUpIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, upstream := io.Pipe()
		res := &http.Response{Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
		jsonBeginning(&http.Request{Method: "GET"}, res)
		_ = res.Body.Close()
		if _, err := io.WriteString(upstream, "x"); err == nil {
			t.Error("it is still read")
		}
	})
}

func TestWhatARejectionIs(t *testing.T) {
	errcode := []Rejection{{JSON: map[string][]string{"errcode": {"40001", "42001"}}}}
	for name, test := range map[string]struct {
		rejected []Rejection
		off      bool
		method   string
		status   int
		header   http.Header
		body     string
		want     bool
	}{
		"401":                        {status: 401, want: true},
		"401, off":                   {off: true, status: 401},
		"403":                        {status: 403},
		"403 and invalid_token":      {status: 403, header: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}, want: true},
		"400 and invalid_token":      {status: 400, header: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}, want: true},
		"403 and invalid_token, off": {off: true, status: 403, header: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}},
		"200 and invalid_token":      {status: 200, header: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}},
		"a status":                   {rejected: []Rejection{{Status: []int{403, 419}}}, status: 419, want: true},
		"a class":                    {rejected: []Rejection{{Status: []int{4}}}, status: 404, want: true},
		"another status":             {rejected: []Rejection{{Status: []int{403}}}, status: 404},
		"401 beside a block":         {rejected: []Rejection{{Status: []int{403}}}, status: 401, want: true},
		"off beside a block":         {rejected: []Rejection{{Status: []int{403}}}, off: true, status: 403, want: true},
		"off beside a block, 401":    {rejected: []Rejection{{Status: []int{403}}}, off: true, status: 401},
		"a redirect to the login":    {rejected: []Rejection{{Status: []int{302}, Header: http.Header{"location": {"*/login*"}}}}, status: 302, header: http.Header{"Location": {"/login?next=/"}}, want: true},
		"another redirect":           {rejected: []Rejection{{Status: []int{302}, Header: http.Header{"Location": {"*/login*"}}}}, status: 302, header: http.Header{"Location": {"/home"}}},
		"any value of a header":      {rejected: []Rejection{{Header: http.Header{"X-Expired": {}}}}, status: 200, header: http.Header{"X-Expired": {"yes"}}, want: true},
		"no header":                  {rejected: []Rejection{{Header: http.Header{"X-Expired": nil}}}, status: 200},
		"a header of a 101":          {rejected: []Rejection{{Header: http.Header{"X-Expired": {}}}}, status: 101, header: http.Header{"X-Expired": {"yes"}}},
		"a member":                   {rejected: errcode, status: 200, body: `{"errcode":42001}`, want: true},
		"another value":              {rejected: errcode, status: 200, body: `{"errcode":0}`},
		"no JSON":                    {rejected: errcode, status: 200, header: http.Header{"Content-Type": {"text/plain"}}, body: `{"errcode":42001}`},
		"JSON with a charset":        {rejected: errcode, status: 200, header: http.Header{"Content-Type": {"Application/JSON; encoding=utf-8"}}, body: `{"errcode":42001}`, want: true},
		"problem details":            {rejected: errcode, status: 200, header: http.Header{"Content-Type": {"application/problem+json"}}, body: `{"errcode":42001}`, want: true},
		"gRPC":                       {rejected: errcode, status: 200, header: http.Header{"Content-Type": {"application/grpc+json"}}, body: `{"errcode":42001}`},
		"an answer to HEAD":          {rejected: errcode, method: "HEAD", status: 200, body: `{"errcode":42001}`},
		"gzip":                       {rejected: errcode, status: 200, header: http.Header{"Content-Encoding": {"gzip"}}, body: gzipped(`{"errcode":42001}`), want: true},
		"gzip of very much":          {rejected: errcode, status: 200, header: http.Header{"Content-Encoding": {"gzip"}}, body: gzipped(`{"a":"` + strings.Repeat("x", 1<<22) + `","errcode":42001}`)},
		"no gzip":                    {rejected: errcode, status: 200, header: http.Header{"Content-Encoding": {"gzip"}}, body: `{"errcode":42001}`},
		"behind 4 KiB":               {rejected: errcode, status: 200, body: `{"a":"` + strings.Repeat("x", beginningSize) + `","errcode":42001}`},
		"all lines hold":             {rejected: []Rejection{{Status: []int{400}, JSON: map[string][]string{"code": {}, "sub.x": {"1"}}}}, status: 400, body: `{"code":7,"sub":{"x":1}}`, want: true},
		"one of the lines holds not": {rejected: []Rejection{{Status: []int{400}, JSON: map[string][]string{"code": {}, "sub.x": {"1"}}}}, status: 400, body: `{"code":7,"sub":{"x":2}}`},
		"an alternative":             {rejected: []Rejection{{JSON: map[string][]string{"a": {}}}, {JSON: map[string][]string{"b": {}}}}, status: 200, body: `{"b":1}`, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Compile(test.rejected, test.off)
			if err != nil {
				t.Fatal(err)
			}
			req := &http.Request{Method: test.method}
			header := http.Header{"Content-Type": {"application/json"}}
			maps.Copy(header, test.header)
			res := &http.Response{StatusCode: test.status, Header: header, Body: io.NopCloser(strings.NewReader(test.body))}
			if got := r.Holds(req, res); got != test.want {
				t.Errorf("it is: %v", got)
			}
			if left, err := io.ReadAll(res.Body); err != nil || string(left) != test.body {
				t.Errorf("of the body %d bytes of %d are left, %v", len(left), len(test.body), err)
			}
		})
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestImpossibleRejectionsAreErrors(t *testing.T) {
	for want, r := range map[string]Rejection{
		"a block without a line":           {},
		"101 is the status of no answer":   {Status: []int{101}},
		"600 is the status of no answer":   {Status: []int{403, 600}},
		"1 is the status of no answer":     {Status: []int{1}},
		"a successful status alone":        {Status: []int{2}},
		"is not a header name":             {Header: http.Header{"a b": {}}},
		"it is empty":                      {JSON: map[string][]string{"": {}}},
		"no JSONPath":                      {JSON: map[string][]string{"$.a": {}}},
		"as in 'errors.0.code'":            {JSON: map[string][]string{"a[0]": {}}},
		"a name between the dots is empty": {JSON: map[string][]string{"a..b": {}}},
	} {
		if _, err := Compile([]Rejection{r}, false); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "rejected: ") {
			t.Errorf("%+v: %v, want %s", r, err, want)
		}
	}
	if _, err := Compile([]Rejection{{Status: []int{2}, JSON: map[string][]string{"errcode": {"40001"}}}}, true); err != nil {
		t.Error(err)
	}
}
