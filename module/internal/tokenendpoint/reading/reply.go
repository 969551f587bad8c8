// Package reading answers what an answer holds, whatever its server, a gateway or a debugger
// made of it: JSON and what is nearly JSON, forms, and tokens in what is neither.
//
// It knows bytes, and paths to what is looked for. It must not know requests, outcomes or
// what to do about an answer.
package reading

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/redact"
)

// maxBody is how much of an answer is read.
const maxBody = 4 << 20

// Reply is an answer as far as it could be read. The one reader of it serves
// every endpoint of an authorization server.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	Form   Form
	Tree   any   // of JSON or a form; what was complete of it, if Err is set
	Err    error // why the answer is not complete or not readable

	twins   map[string][]any // what members of a name held that another one displaced
	endless bool             // nobody knows whether the body was to go on
}

// Form are the kinds of a body. They show by how it begins: a Content-Type is
// wrong too often.
type Form int

const (
	isOther Form = iota // nothing, or anything else
	isJSON
	IsForm
	IsHTML
	IsXML
)

// Unreadable says what is wrong with an answer, without a word of it.
type Unreadable string

func (u Unreadable) Error() string { return string(u) }

// Read reads an answer and keeps what is complete of it, even if it ends
// in the middle: a refresh token in the first half may be the only one there is.
func Read(resp *http.Response) *Reply {
	r := &Reply{Status: resp.StatusCode, Header: resp.Header}
	var damaged error
	r.Body, r.Err = readCapped(resp.Body)
	if r.Body, damaged = decode(r.Body, r.Header); r.Err == nil {
		r.Err = damaged
	}
	r.parse(resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.TLS == nil)
	return r
}

// Succeeded reports whether the status says so.
func (r *Reply) Succeeded() bool { return r.Status >= 200 && r.Status < 300 }

// Whole reports whether the body is one JSON value or one form, and nothing else.
func (r *Reply) Whole() bool {
	return r.Err == nil && (r.Form == isJSON || r.Form == IsForm)
}

func readCapped(from io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(mortal{from}, maxBody+1))
	if len(body) > maxBody {
		return body[:maxBody], Unreadable("it is longer than 4 MiB")
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
func (r *Reply) parse(endsWithConnection bool) {
	r.endless = endsWithConnection
	switch {
	case len(r.Body) == 0:
	case r.Body[0] == '{', r.Body[0] == '[':
		r.Form = isJSON
		r.parseJSON()
	case r.Body[0] == '<':
		r.Form = markup(r.Body)
	case bytes.IndexByte(r.Body, '=') > 0 && !bytes.ContainsAny(r.Body, " \t\r\n<>{}\"'"):
		r.Form = IsForm
		r.parseForm()
	}
}

// parseJSON reads what the body begins with. Something else behind it, such as a
// remark of a cache, is passed over, but not another object.
func (r *Reply) parseJSON() {
	s := scanner{text: r.Body}
	tree, whole := s.value(0)
	r.Tree, r.twins = tree, s.twins
	switch {
	case r.Err != nil:
	case !whole:
		r.Err = Unreadable("it is no complete JSON")
	case bytes.IndexByte(r.Body[s.at:], '{') >= 0:
		r.Err = Unreadable("it is more than one JSON value")
	}
}

func (r *Reply) parseForm() {
	whole := r.Body
	if r.endless && r.Err == nil {
		r.Err = Unreadable("it may have been cut off: it has no length, and ends with the connection")
	}
	if r.Err != nil { // the last pair may be half of one
		whole = whole[:max(0, bytes.LastIndexByte(whole, '&'))]
	}
	r.Tree = readForm(string(whole))
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

// RedirectTarget says where a redirect points, without path and query.
func (r *Reply) RedirectTarget(secrets *redact.Secrets) string {
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || to.Host == "" {
		return ""
	}
	return " to " + secrets.Text(to.Scheme+"://"+to.Host)
}
