package tokenendpoint

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lamplighter/module/internal/failpoint"
)

// maxBody is how much of an answer is read, and maxDepth how deep it may nest.
const (
	maxBody  = 4 << 20
	maxDepth = 64
)

// reply is an answer as far as it could be read.
type reply struct {
	status int
	header http.Header
	body   []byte
	html   bool
	json   bool
	tree   any   // of JSON or a form; what was complete of it, if err is set
	err    error // why the answer is not complete or not readable
}

// unreadable says what is wrong with an answer, without a word of it.
type unreadable string

func (u unreadable) Error() string { return string(u) }

// readReply reads an answer and keeps what is complete of it, even if it ends
// in the middle: a refresh token in the first half may be the only one there is.
func readReply(resp *http.Response) *reply {
	r := &reply{status: resp.StatusCode, header: resp.Header}
	r.body, r.err = readCapped(resp.Body)
	if bytes.HasPrefix(r.body, []byte{0x1f, 0x8b}) { // gzip that nobody asked for
		unzipped, err := gzip.NewReader(bytes.NewReader(r.body))
		if err == nil {
			r.body, err = readCapped(unzipped)
		}
		if err != nil && r.err == nil {
			r.err = unreadable("its gzip is damaged")
		}
	}
	r.body = bytes.TrimSpace(bytes.TrimPrefix(r.body, []byte("\xef\xbb\xbf")))
	r.parse()
	return r
}

// succeeded reports whether the status says so.
func (r *reply) succeeded() bool { return r.status >= 200 && r.status < 300 }

func readCapped(from io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(mortal{from}, maxBody+1))
	if len(body) > maxBody {
		return body[:maxBody], unreadable("it is longer than 4 MiB")
	}
	return body, err
}

// mortal lets tests kill the process amid a body.
type mortal struct{ io.Reader }

func (m mortal) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	if n > 0 {
		failpoint.At("mid-body")
	}
	return n, err
}

// parse tells JSON, a form and HTML apart by how the body starts: a
// Content-Type is wrong too often.
func (r *reply) parse() {
	switch {
	case len(r.body) == 0:
	case r.body[0] == '{', r.body[0] == '[':
		r.json = true
		tree, err := readJSON(r.body)
		r.tree = tree
		if err != nil && r.err == nil {
			r.err = unreadable("it is no complete JSON")
		}
	case r.body[0] == '<':
		r.html = true
	case bytes.IndexByte(r.body, '=') > 0 && !bytes.ContainsAny(r.body, " \t\r\n"):
		whole := r.body
		if r.err != nil { // the last pair may be half of one
			whole = whole[:max(0, bytes.LastIndexByte(whole, '&'))]
		}
		r.tree = readForm(string(whole))
	}
}

// readJSON reads an object or an array. If it ends early, what is complete of it
// comes with the error.
func readJSON(body []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	return jsonReader{decoder, int64(len(body))}.value(0)
}

type jsonReader struct {
	*json.Decoder
	end int64
}

func (d jsonReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return object, err
			}
			name, _ := key.(string) // the decoder accepts no other
			value, err := d.value(depth + 1)
			if known := object[name]; value != nil && (value != "" || known == nil) {
				object[name] = value // the last of several, unless it says nothing
			}
			if err != nil {
				return object, err
			}
		}
		_, err = d.Token()
		return object, err
	case json.Delim('['):
		var array []any
		for d.More() {
			value, err := d.value(depth + 1)
			array = append(array, value)
			if err != nil {
				return array, err
			}
		}
		_, err = d.Token()
		return array, err
	}
	if _, isNumber := token.(json.Number); isNumber && d.InputOffset() == d.end {
		return nil, io.ErrUnexpectedEOF // it may have had more digits
	}
	return token, nil
}

func readForm(body string) any {
	values, _ := url.ParseQuery(body) // with an error come the pairs that are well formed
	tree := make(map[string]any, len(values))
	for name := range values {
		tree[name] = values.Get(name)
	}
	return tree
}

// keys names what a JSON answer holds at its top, for a message about what it
// does not hold. Whatever looks like anything but a name is left out.
func (r *reply) keys() string {
	if !r.json {
		return "a form"
	}
	object, _ := r.tree.(map[string]any)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(object)), func(name string) bool {
		return !isCode(name)
	})
	if len(names) == 0 {
		return "nothing with a name"
	}
	return strings.Join(names[:min(len(names), 12)], ", ")
}
