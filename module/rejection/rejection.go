// Package rejection answers which answers of an upstream say that an access token is
// dead: a 401, invalid_token in a challenge, and what a client's setting `rejected`
// describes.
//
// It knows HTTP answers. It must not know clients, tokens, or what follows from a
// rejection.
package rejection

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"
)

// Rejection is a kind of answer by which an upstream says that the access token is
// dead. All that it names must hold.
type Rejection struct {
	// Statuses, one of which the answer must have: `403`, or `4` for all of its class.
	Status []int `json:"status,omitempty"`

	// Header fields that the answer must have, with one of these values each; `*` at
	// the beginning or the end of a value stands for anything, and an empty list for
	// any value.
	Header http.Header `json:"header,omitempty"`

	// Members that the answer's JSON must have, with one of these texts each, by their
	// dotted path as in `error.code`; an empty list is any value but `null`. Looked at
	// are answers of the type `application/json` or `+json`, and of those what the first
	// read brings, which is 4 KiB at most.
	JSON map[string][]string `json:"json,omitempty"`
}

// check returns an error for what no answer can have, or all have.
func (r *Rejection) check() error {
	if len(r.Status)+len(r.Header)+len(r.JSON) == 0 {
		return errors.New("a block without a line would match every answer: add 'status', 'header' or 'json', or write 'rejected off' for none")
	}
	for _, status := range r.Status {
		if (status < 2 || status > 5) && (status < 200 || status > 599) {
			return fmt.Errorf("%d is the status of no answer: use one from 200 to 599, or 2xx to 5xx for all of a class", status)
		}
	}
	if len(r.Header)+len(r.JSON) == 0 && slices.ContainsFunc(r.Status, func(s int) bool { return s == 2 || s/100 == 2 }) {
		return errors.New("a successful status alone would reject tokens that work: add 'header' or 'json' to the block")
	}
	for name := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%q is not a header name", name)
		}
	}
	for path := range r.JSON {
		if err := checkMemberPath(path); err != nil {
			return fmt.Errorf("json %q: %w", path, err)
		}
	}
	return nil
}

var otherPath = regexp.MustCompile(`^[$/@]|\[\w*\]`)

func checkMemberPath(path string) error {
	switch {
	case path == "":
		return errors.New("it is empty: write the names of members, joined by dots")
	case otherPath.MatchString(path):
		return errors.New("it is no JSONPath or JSON pointer: write the names of members, joined by dots, and elements of arrays by their index, as in 'errors.0.code'")
	case emptyName.MatchString(path):
		return errors.New("a name between the dots is empty: write it as in 'error.code'")
	}
	return nil
}

var emptyName = regexp.MustCompile(`^\.|\.\.|\.$`)

// Rules decide which answers of upstreams mean that a token is dead. On nil,
// what counts by itself does.
type Rules struct {
	off  bool
	list []rule
}

// rule is a compiled Rejection.
type rule struct {
	caddyhttp.ResponseMatcher
	json map[string][]string
}

// Compile checks and compiles a list of kinds. off says that nothing counts by itself.
func Compile(list []Rejection, off bool) (*Rules, error) {
	compiled := &Rules{off: off}
	for _, r := range list {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rejected: %w", err)
		}
		header := make(http.Header, len(r.Header))
		for name, values := range r.Header {
			header[textproto.CanonicalMIMEHeaderKey(name)] = append([]string{}, values...)
		}
		compiled.list = append(compiled.list, rule{caddyhttp.ResponseMatcher{StatusCode: r.Status, Headers: header}, r.JSON})
	}
	return compiled, nil
}

// Holds reports whether an answer means that the token it was sent with is dead. It
// may put another body into the answer, which yields the same.
func (r *Rules) Holds(req *http.Request, res *http.Response) bool {
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		return false // the body is the connection
	case r == nil || !r.off:
		if res.StatusCode == http.StatusUnauthorized || res.StatusCode/100 == 4 && namesInvalidToken(res.Header["Www-Authenticate"]) {
			return true
		}
	}
	if r == nil {
		return false
	}
	var beginning []byte
	looked := false
	for i := range r.list {
		one := &r.list[i]
		if !one.Match(res.StatusCode, res.Header) {
			continue
		}
		if len(one.json) == 0 {
			return true
		}
		if !looked {
			beginning, looked = jsonBeginning(req, res), true
		}
		if one.matchesJSON(beginning) {
			return true
		}
	}
	return false
}

func (r *rule) matchesJSON(beginning []byte) bool {
	for path, texts := range r.json {
		text, found := findText(beginning, path)
		if !found || len(texts) > 0 && !slices.Contains(texts, text) {
			return false
		}
	}
	return true
}
