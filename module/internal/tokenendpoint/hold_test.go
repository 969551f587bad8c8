package tokenendpoint

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// Faults A1, A2. Whatever is wrong with the words of an answer, its tokens count.
func TestAPanicWhileAnAnswerIsDescribedCostsNoToken(t *testing.T) {
	for body, outcome := range map[string]Outcome{
		`{"access_token":"A2","refresh_token":"R2","token_type":"mac"}`: Granted,
		`{"refresh_token":"R2"}`: Unanswered,
	} {
		c := newClient(t, Dialect{})
		c.describe = func(*Answer, *reading.Reply, *redact.Secrets) { panic("the-client-secret") }
		r := refresh
		r.URL = answering(t, 200, nil, body)
		a := c.Do(t.Context(), r)
		if a.Outcome != outcome || a.RefreshToken != "R2" || strings.Contains(fmt.Sprintf("%+v", a), "secret") || outcome != Granted && (a.Cause != CauseInternal || a.Detail == "") {
			t.Errorf("%s: %+v", body, a)
		}
		if outcome == Granted && a.Unusable == "" {
			t.Error("a token of an unknown type is used")
		}
	}
}

// Fault A2.
func TestSecretsAndTokensOfAnyBytesCostNoToken(t *testing.T) {
	r := refresh
	r.ClientSecret = "sch\xf6n-client-secret"
	r.URL = answering(t, 200, nil, `refresh_token=tok%ff-1&access_token=A2&token_type=mac`)
	a := ask(t, Dialect{}, r)
	if a.Outcome != Granted || a.RefreshToken != "tok\xff-1" || a.AccessToken != "A2" || a.Unusable == "" {
		t.Errorf("%+v", a)
	}
	r.URL = answering(t, 200, nil, "{\"refresh_token\":\"R2\xff-secret-\",\"access_token\":\"A2\",\"token_type\":\"R2\xff-secret-\"}")
	if a := ask(t, Dialect{}, r); a.RefreshToken != "R2\xff-secret-" || strings.Contains(a.Unusable, "-secret-") {
		t.Errorf("%+v", a)
	}
}

// Fault A3.
func TestOnlyTextAndDigitsAreTokens(t *testing.T) {
	for value, want := range map[string]string{
		`"R2"`: "R2", `" R2\n"`: "R2", `["R2"]`: "R2", `12345678901234567890`: "12345678901234567890", `"1"`: "1", `"falsehood"`: "falsehood",
		`false`: "", `true`: "", `null`: "", `0`: "", `00`: "", `-1`: "", `1.5`: "", `1e3`: "", `""`: "", `"  "`: "", `"\u00a0"`: "",
		`"null"`: "", `"NULL"`: "", `"nil"`: "", `"None"`: "", `"undefined"`: "", `"NaN"`: "", `"False"`: "", `" true "`: "", `"0"`: "",
		`{}`: "", `[]`: "", `{"a":1}`: "", `[false]`: "", `["a","b"]`: "", `[["R2"]]`: "",
		`{"value":"R2","expires_in":60}`: "R2", `{"token":"R2"}`: "R2", `{"value":{}}`: "",
		`"****"`: "", `"-"`: "", `"(null)"`: "", `"N/A"`: "", `"[object Object]"`: "", `"[FILTERED]"`: "", `"REDACTED"`: "", `"<redacted>"`: "", `"a*"`: "a*",
	} {
		body := fmt.Sprintf(`{"access_token":"A2","refresh_token":%s,"id_token":%[1]s,"expires_in":60}`, value)
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if a.Outcome != Granted || a.RefreshToken != want || a.IDToken != want {
			t.Errorf("%s: %+v", value, a)
		}
		body = fmt.Sprintf(`{"access_token":%s,"expires_in":60}`, value)
		if a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)}); a.AccessToken != want || (a.Outcome == Granted) != (want != "") {
			t.Errorf("as the access token, %s: %+v", value, a)
		}
	}
}

// wrappings are what runtimes, debuggers and gateways make of an answer.
var wrappings = map[string]func(string) string{
	"PHP's warning": func(s string) string {
		return "<br />\n<b>Warning</b>: x in <b>/srv/a.php</b> on line <b>7</b><br />\n" + s
	},
	"a notice in text": func(s string) string { return "Notice: Undefined index: a in /srv/{a}.php on line 7\n" + s },
	"a page": func(s string) string {
		return "<html><body>{{ debug }}<pre>" + s + "</pre><script>var a = {};</script></body></html>"
	},
	"an escaped page":   func(s string) string { return "<!doctype html><pre>" + html.EscapeString(s) + "</pre>" },
	"JSON in text":      func(s string) string { return quoted(s) },
	"a proxy of Lambda": func(s string) string { return `{"statusCode":200,"headers":{},"body":` + quoted(s) + `}` },
	"an envelope": func(s string) string {
		return `{"code":0,"result":` + s + `,"request":{"refresh_token":"the-refresh-token"}}`
	},
	"Java's map":          func(s string) string { return "{access_token=A2, token_type=Bearer, expires_in=60, refresh_token=R2}" },
	"a list":              func(s string) string { return "[" + s + "]" },
	"JSONP":               func(s string) string { return "/**/cb(" + s + ");" },
	"against hijacking":   func(s string) string { return "while(1);" + s },
	"a log line before":   func(s string) string { return `{"level":"debug","msg":"token"}` + "\n" + s },
	"a log line after":    func(s string) string { return s + "\n" + `{"level":"debug","msg":"done"}` },
	"a remark of a cache": func(s string) string { return s + "<!-- cached -->" },
	"chunks":              func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(s), s) },
	"a byte order mark":   func(s string) string { return "\xef\xbb\xbf" + s },
	"UTF-16":              func(s string) string { return utf16Of(s, binary.LittleEndian, true) },
	"UTF-16, big endian":  func(s string) string { return utf16Of(s, binary.BigEndian, false) },
	"gzip":                zipped,
	"what it was asked": func(s string) string {
		return "grant_type=refresh_token&refresh_token=the-refresh-token&client_secret=the-client-secret\n" + s
	},
	"a trace with the old one": func(s string) string {
		return `DEBUG {"refresh_token":"the-refresh-token","access_token":"the-client-secret"} ` + s
	},
}

func quoted(s string) string { b, _ := json.Marshal(s); return string(b) }

func utf16Of(s string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// Faults A4, A9.
func TestARotationIsFoundInWhateverWrapsIt(t *testing.T) {
	const good = `{"access_token":"A2","token_type":"Bearer","expires_in":60,"refresh_token":"R2"}`
	for name, wrap := range wrappings {
		r := refresh
		r.URL = answering(t, 200, http.Header{"Content-Type": {"text/html"}}, wrap(good))
		a := ask(t, Dialect{}, r)
		if name == "Java's map" {
			continue // below: its lifetime is not read
		}
		nested := name == "an envelope" || name == "a list" || name == "a proxy of Lambda" // is clean: it is for access_token_path to say
		if a.RefreshToken != "R2" || !nested && (a.Outcome != Granted || a.AccessToken != "A2" || a.ExpiresIn.Seconds() != 60) {
			t.Errorf("%s: %+v", name, a)
		}
		r.URL = answering(t, 503, nil, wrap(good))
		if a := ask(t, Dialect{}, r); a.RefreshToken != "" && !strings.Contains("gzip, a byte order mark, UTF-16, big endian, chunks, JSON in text, a remark of a cache, a list", name) {
			t.Errorf("%s, 503: %+v", name, a)
		}
	}
}

// A runtime that prints an object has said its tokens all the same.
func TestWhatARuntimePrintsOfAnObjectHoldsItsTokens(t *testing.T) {
	a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, wrappings["Java's map"](""))})
	if a.AccessToken != "A2" || a.RefreshToken != "R2" {
		t.Errorf("%+v", a)
	}
}

// Words that are quoted because nobody could read them may hold a token.
func TestWordsThatMayHoldATokenAreNotQuoted(t *testing.T) {
	for _, body := range []string{
		"HTTP/1.1 200 OK\r\n\r\n{\"access_token\": \"atTIXdbzen52wJ\", \"refresh_token\": \"rt0scGh\"}",
		"access_token=atTIXdbzen52wJ", "Token : atTIXdbzen52wJ", `TOKEN"=>"atTIXdbzen52wJ`,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 403, nil, body)})
		if strings.Contains(a.Detail, "atTIX") || strings.Contains(a.Detail, "rt0sc") {
			t.Errorf("%s", a.Detail)
		}
	}
}

func TestARotationIsFoundInTwoWrappings(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := slices.Sorted(maps.Keys(wrappings))
		body := `{"access_token":"A2","expires_in":60,"refresh_token":"R2"}`
		for range 2 {
			name := rapid.SampledFrom(names).Draw(rt, "wrapping")
			if body[0] != '{' && (name == "an envelope" || name == "a list") || !utf8.ValidString(body) || strings.Contains(body, "\x00") {
				continue // then it is no JSON, or no text
			}
			body = wrappings[name](body)
		}
		r := replyOf(200, nil, strings.NewReader(body))
		c := newClient(t, Dialect{})
		if a := c.hold(r, now, valuesOf(&refresh)); a.RefreshToken != "R2" {
			rt.Errorf("%q: %+v", body, a)
		}
	})
}

func TestOfTwoRotationsTheLastWholeOneWithAnAccessTokenWins(t *testing.T) {
	for body, want := range map[string]string{
		`<p>{"access_token":"A2","refresh_token":"R2"} {"access_token":"A3","refresh_token":"R3"}`: "R3",
		`<p>{"access_token":"A2","refresh_token":"R2"} {"refresh_token":"R3"}`:                     "R2",
		`<p>{"refresh_token":"R2"} {"refresh_token":"R3"}`:                                         "R3",
		`<p>{"access_token":"A2","refresh_token":"R2"} {"access_token":"A3","refresh_token":"R3"`:  "R2",
		`{"access_token":"A2","refresh_token":"R2"}{"access_token":"A3","refresh_token":"R3"}`:     "R3",
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if a.RefreshToken != want || len(a.Remarks) == 0 {
			t.Errorf("%s: %+v", body, a)
		}
		if strings.Contains(fmt.Sprint(a.Remarks), "R2") {
			t.Errorf("remarks hold a token: %q", a.Remarks)
		}
	}
}

func TestValuesOfTheRequestAreNoRotation(t *testing.T) {
	r := refresh
	r.Params = map[string][]string{"device": {"the-device"}}
	for _, body := range []string{
		`<pre>{"refresh_token":"the-refresh-token","client_secret":"the-client-secret"}</pre>`,
		`Warning {"refresh_token":"the-client-secret"}`, `Warning refresh_token=the-refresh-token&x`,
		`Warning {"post":{"refresh_token":"the-device"}}`,
	} {
		r.URL = answering(t, 200, nil, body)
		if a := ask(t, Dialect{}, r); a.RefreshToken != "" || a.Outcome == Granted {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestOfTwoMembersOfOneNameTheNewTokenCounts(t *testing.T) {
	for body, remarked := range map[string]bool{
		`{"access_token":"A2","refresh_token":"R2","refresh_token":"the-refresh-token"}`: true,
		`{"access_token":"A2","refresh_token":"the-refresh-token","refresh_token":"R2"}`: false,
	} {
		r := refresh
		r.URL = answering(t, 200, nil, body)
		if a := ask(t, Dialect{}, r); a.Outcome != Granted || a.RefreshToken != "R2" || (len(a.Remarks) > 0) != remarked {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

// What describes tokens has their names, and is none.
func TestWhatDescribesTokensIsNone(t *testing.T) {
	for body, want := range map[string]string{
		`{"access_token":"A2","expires":{"refresh_token":86400,"access_token":300}}`:                              "",
		`{"access_token":"A2","types":{"refresh_token":"opaque","access_token":"jwt"}}`:                           "",
		`Warning {"access_token":"A2","expires":{"refresh_token":86400,"access_token":300}}`:                      "",
		`Warning {"access_token":"A2","refresh_token":"R2","expires":{"refresh_token":86400,"access_token":300}}`: "R2",
		`Warning {"refresh_token":"the-refresh-..."} {"access_token":"A2"}`:                                       "",
		`Warning {"refresh_token":"****"} {"access_token":"A2"}`:                                                  "",
		"access_token=A2&refresh_token=R2\n<!-- refresh_token=the-refresh-token& -->":                             "R2",
		"Notice: x\naccess_token=A2&expires_in=60&refresh_token=R2":                                               "R2",
	} {
		r := refresh
		r.URL = answering(t, 200, nil, body)
		if a := ask(t, Dialect{}, r); a.Outcome != Granted || a.AccessToken != "A2" || a.RefreshToken != want {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

// Fault A5.
func TestTypesThatMeanBearerAreUsed(t *testing.T) {
	for tokenType, bearer := range map[string]bool{
		"Bearer": true, "bearer": true, "BEARER ": true, "BearerToken": true, "Bearer Token": true, "bearer_token": true, "": true,
		"mac": false, "DPoP": false, "N_A": false, "Bearing": false,
	} {
		body := fmt.Sprintf(`{"access_token":"A2","token_type":%q}`, tokenType)
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if (a.Unusable == "") != bearer || !bearer && !strings.Contains(a.Unusable, "inject") {
			t.Errorf("%q: %+v", tokenType, a)
		}
		if a := ask(t, Dialect{AnyTokenType: true}, Request{URL: answering(t, 200, nil, body)}); a.Unusable != "" {
			t.Errorf("%q is refused although the operator says how to send it: %s", tokenType, a.Unusable)
		}
	}
}

// Fault A6.
func TestTheMemberOfTheRFCCountsWhereThePathYieldsNothing(t *testing.T) {
	a := ask(t, Dialect{RefreshTokenPath: "data.refresh_token"}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":"R2"}`)})
	if a.RefreshToken != "R2" || len(a.Remarks) != 1 || !strings.Contains(a.Remarks[0].Detail, "data.refresh_token") || !strings.Contains(a.Remarks[0].Remedy, "refresh_token_path") {
		t.Errorf("%+v", a)
	}
	a = ask(t, Dialect{RefreshTokenPath: "data.refresh_token"}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":"old","data":{"refresh_token":"R2"}}`)})
	if a.RefreshToken != "R2" || len(a.Remarks) != 0 {
		t.Errorf("%+v", a)
	}
}

// Fault A7.
func TestLongHeadersCostNoToken(t *testing.T) {
	server := serveRaw(t, func(conn net.Conn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for i := range 1000 {
			_, _ = fmt.Fprintf(conn, "X-Trace-%d: %s\r\n", i, strings.Repeat("x", 2000))
		}
		_, _ = io.WriteString(conn, "Content-Length: 44\r\n\r\n"+`{"access_token":"A2","refresh_token":"R2"}  `)
	})
	if a := ask(t, Dialect{}, refreshAt(server.address)); a.Outcome != Granted || a.RefreshToken != "R2" {
		t.Errorf("%+v", a)
	}
}

// Fault A15.
func TestAFormThatMayHaveBeenCutIsNoWholeOne(t *testing.T) {
	for body, want := range map[string]string{
		"access_token=A2&refresh_token=the-first-ha":           "",
		"access_token=A2&refresh_token=R2&expires_in=3":        "R2",
		`{"access_token":"A2","refresh_token":"R2"}`:           "R2",
		`{"access_token":"A2","refresh_token":"the-first-ha`:   "",
		"access_token=A2&refresh_token=R2&token_type=bearer\n": "R2",
	} {
		server := serveRaw(t, func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+body) })
		a := ask(t, Dialect{}, refreshAt(server.address))
		if a.RefreshToken != want || (a.Outcome == Granted) != (want != "") {
			t.Errorf("%s: %+v", body, a)
		}
	}
	a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, "access_token=A+2%2b&refresh_token=R+2/%3d")})
	if a.AccessToken != "A+2+" || a.RefreshToken != "R+2/=" {
		t.Errorf("a plus sign in a token: %+v", a)
	}
}

// Fault A15.
func TestStatusesThatAreNoneAndWordsOfGatewaysAreDescribed(t *testing.T) {
	server := serveRaw(t, func(conn net.Conn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 000 Nothing\r\nContent-Length: 2\r\n\r\n{}")
	})
	if a := ask(t, Dialect{}, refreshAt(server.address)); a.Outcome != Unanswered || a.Cause != CauseNoAnswer {
		t.Errorf("status 000: %+v", a)
	}
	for body, want := range map[string]string{
		"Request blocked by policy 7": "Request blocked by policy 7", `{"incident":"4711"}`: `4711`,
		"blocked \x1b[2J": `\x1b[2J`, "you sent the-refresh-token": redact.Withheld,
	} {
		r := refresh
		r.URL = answering(t, 403, nil, body)
		if a := ask(t, Dialect{}, r); a.Outcome != Misconfigured || !strings.Contains(a.Detail, want) {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestCompressionsNobodyAskedForAreUndone(t *testing.T) {
	const good = `{"access_token":"A2","refresh_token":"R2"}`
	var zlibbed, deflated bytes.Buffer
	z := zlib.NewWriter(&zlibbed)
	_, _ = io.WriteString(z, good)
	_ = z.Close()
	f, _ := flate.NewWriter(&deflated, 9)
	_, _ = io.WriteString(f, good)
	_ = f.Close()
	for name, test := range map[string]struct{ body, coding string }{
		"deflate": {zlibbed.String(), "deflate"}, "raw deflate": {deflated.String(), "Deflate"}, "twice": {zipped(zipped(good)), "gzip, gzip"},
		"not at all": {good, "gzip"}, "unnamed": {zlibbed.String(), ""},
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, http.Header{"Content-Encoding": {test.coding}}, test.body)})
		if a.Outcome != Granted || a.RefreshToken != "R2" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	a := ask(t, Dialect{}, Request{URL: answering(t, 200, http.Header{"Content-Encoding": {"br"}}, "\x0b\x02\x80\x03\x00\x01")})
	if a.Outcome != Unanswered || !strings.Contains(a.Detail, "br") {
		t.Errorf("br: %+v", a)
	}
	bomb := zipped(strings.Repeat("\x00", 64<<20))
	if a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, zipped(bomb))}); a.Outcome != Unanswered {
		t.Errorf("a bomb: %+v", a)
	}
}

// FuzzHold: no bytes fail, a whole JSON answer yields its refresh token, and no value
// of the request is a new one where it is hidden.
func FuzzHold(f *testing.F) {
	f.Add([]byte("<p>"), []byte("\n"), 200)
	f.Add([]byte("{\"a\":'"), []byte("'}"), 200)
	f.Add([]byte("refresh_token=the-refresh-token&"), []byte("\\u0022"), 503)
	f.Fuzz(func(t *testing.T, before, after []byte, status int) {
		for _, body := range [][]byte{before, after, append(append(bytes.Clone(before), `{"refresh_token":"the-refresh-token"}`...), after...)} {
			r := replyOf(status, nil, bytes.NewReader(body))
			c := newClient(t, Dialect{})
			a := c.described(c.hold(r, now, valuesOf(&refresh)), r, secretsOf(&refresh))
			if a.RefreshToken == "the-refresh-token" && !r.Whole() && status < 300 {
				if _, direct := r.Tree.(map[string]any); !direct {
					t.Errorf("%q: a value of the request is taken for a rotation", body)
				}
			}
		}
	})
}

// Fault A7. Beyond the bound nothing is read, and that is said.
func TestHeadersWithoutEndCostBoundedMemory(t *testing.T) {
	server := serveRaw(t, func(conn net.Conn, _ string) {
		out := bufio.NewWriterSize(conn, 64<<10)
		_, err := io.WriteString(out, "HTTP/1.1 200 OK\r\n")
		for i := 0; err == nil && i < 64<<20; i += 8 {
			_, err = fmt.Fprintf(out, "%x:\r\n", i)
		}
		_ = out.Flush()
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := ask(t, Dialect{}, refreshAt(server.address))
	runtime.ReadMemStats(&after)
	if a.Outcome != Unanswered || a.Cause != "headers_too_long" || !strings.Contains(a.Detail, "2 MiB") || a.Passes || a.Remedy == "" {
		t.Errorf("%+v", a)
	}
	if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 128 { // it was 450, and the race detector adds its own
		t.Errorf("%d MiB were allocated", spent)
	}
}
