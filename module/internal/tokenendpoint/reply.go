package tokenendpoint

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"lamplighter/module/internal/failpoint"
)

// maxBody is how much of an answer is read.
const maxBody = 4 << 20

// reply is an answer as far as it could be read. The one reader of it serves
// every endpoint of an authorization server.
type reply struct {
	status int
	header http.Header
	body   []byte
	form   forms
	tree   any   // of JSON or a form; what was complete of it, if err is set
	err    error // why the answer is not complete or not readable

	twins   map[string][]any // what members of a name held that another one displaced
	endless bool             // nobody knows whether the body was to go on
}

// forms are the kinds of a body. They show by how it begins: a Content-Type is
// wrong too often.
type forms int

const (
	isOther forms = iota // nothing, or anything else
	isJSON
	isForm
	isHTML
	isXML
)

// unreadable says what is wrong with an answer, without a word of it.
type unreadable string

func (u unreadable) Error() string { return string(u) }

// readReply reads an answer and keeps what is complete of it, even if it ends
// in the middle: a refresh token in the first half may be the only one there is.
func readReply(resp *http.Response) *reply {
	r := &reply{status: resp.StatusCode, header: resp.Header}
	var damaged error
	r.body, r.err = readCapped(resp.Body)
	if r.body, damaged = decode(r.body, r.header); r.err == nil {
		r.err = damaged
	}
	r.parse(resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.TLS == nil)
	return r
}

// succeeded reports whether the status says so.
func (r *reply) succeeded() bool { return r.status >= 200 && r.status < 300 }

// whole reports whether the body is one JSON value or one form, and nothing else.
func (r *reply) whole() bool {
	return r.err == nil && (r.form == isJSON || r.form == isForm)
}

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

// parse finds out what a body is. Of one that ends with the connection nobody
// knows whether it was to go on.
func (r *reply) parse(endsWithConnection bool) {
	r.endless = endsWithConnection
	switch {
	case len(r.body) == 0:
	case r.body[0] == '{', r.body[0] == '[':
		r.form = isJSON
		r.parseJSON()
	case r.body[0] == '<':
		r.form = markup(r.body)
	case bytes.IndexByte(r.body, '=') > 0 && !bytes.ContainsAny(r.body, " \t\r\n<>{}\"'"):
		r.form = isForm
		r.parseForm()
	}
}

// parseJSON reads what the body begins with. Something else behind it, such as a
// remark of a cache, is passed over, but not another object.
func (r *reply) parseJSON() {
	s := scanner{text: r.body}
	tree, whole := s.value(0)
	r.tree, r.twins = tree, s.twins
	switch {
	case r.err != nil:
	case !whole:
		r.err = unreadable("it is no complete JSON")
	case bytes.IndexByte(r.body[s.at:], '{') >= 0:
		r.err = unreadable("it is more than one JSON value")
	}
}

func (r *reply) parseForm() {
	whole := r.body
	if r.endless && r.err == nil {
		r.err = unreadable("it may have been cut off: it has no length, and ends with the connection")
	}
	if r.err != nil { // the last pair may be half of one
		whole = whole[:max(0, bytes.LastIndexByte(whole, '&'))]
	}
	r.tree = readForm(string(whole))
}

// readForm reads a form. Its values are as they were written, but for what is
// percent-encoded: a plus sign in a token is one, and a semicolon too.
func readForm(body string) map[string]any {
	tree := make(map[string]any)
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.PathUnescape(value)
		if known, _ := tree[name].(string); nameErr == nil && valueErr == nil && known == "" {
			tree[name] = value
		}
	}
	return tree
}
