// Package inject answers what goes into a request, and what of the caller's must not:
// the token in its places, and nothing that the caller sent in theirs, in no spelling.
//
// It knows requests and tokens. It must not know clients, where tokens come from, or
// where requests go.
package inject

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/nearest"
)

// Injection puts a token into a request.
type Injection struct {
	// What is set: `header`, `query` or `cookie`. Default: `header`.
	In string `json:"in,omitempty"`

	// The name of the header, query parameter or cookie.
	Name string `json:"name"`

	// The value. `{access_token}`, `{id_token}` and `{response.<path>}` (a member
	// of the token endpoint's answer) are replaced. Default: `{access_token}`.
	Value string `json:"value,omitempty"`
}

// Injector puts a client's token into requests, and takes out whatever the
// caller sent in its place.
type Injector struct {
	*Injections
	rendered atomic.Pointer[rendered]
}

// Injections are a compiled list of Injection.
type Injections struct {
	places        []Place
	responsePaths []string
	subject       *Subject // where a caller's own token is, nil unless it is exchanged
	overwrites    bool     // the header Authorization, so that it need not be removed
}

// Place is a compiled Injection.
type Place struct {
	In, Name string // as those of the Injection
	template []piece
	usual    bool     // whose scheme is the token's
	reading  *reading // of the name of a parameter or cookie
	alike    bool     // another header may be taken for this one
}

// piece is a literal, or the name of a value of the token.
type piece struct{ literal, value string }

// rendered are the values of all places for one token, made once per token.
type rendered struct {
	token  *keeper.Token
	values []string
}

const responsePrefix = "response."

// usualInjection is that of RFC 6750 section 2.1.
var usualInjection = []Injection{{In: "header", Name: "Authorization", Value: "Bearer {access_token}"}}

var usualTemplate = []piece{{literal: "Bearer "}, {value: "access_token"}}

// Compile compiles a list of injections, none of which is the usual one. subject is
// where a caller's own token is, nil unless it is exchanged.
func Compile(list []Injection, subject *Subject) (*Injections, error) {
	in := &Injections{subject: subject}
	usual := len(list) == 0
	if usual {
		list = usualInjection
	}
	for _, inj := range list {
		p := Place{In: cmp.Or(inj.In, "header"), Name: inj.Name, usual: usual}
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("inject: %w", err)
		}
		var err error
		if p.template, err = compileTemplate(cmp.Or(inj.Value, "{access_token}")); err != nil {
			return nil, fmt.Errorf("inject %s %s: %w", p.In, p.Name, err)
		}
		for _, t := range p.template {
			if path, ok := strings.CutPrefix(t.value, responsePrefix); ok {
				in.responsePaths = append(in.responsePaths, path)
			}
		}
		in.places = append(in.places, p)
		in.overwrites = in.overwrites || p.In == "header" && p.Name == "Authorization"
	}
	return in, nil
}

// FollowScheme has the header Authorization say of each token what it is (RFC 9449 section 7.1),
// whatever its value was written as: DPoP of one that is bound to a key, Bearer of any other, such
// as one of before, or one that the server did not bind.
func (in *Injections) FollowScheme() {
	for i := range in.places {
		if p := &in.places[i]; p.In == "header" && p.Name == "Authorization" {
			p.usual, p.template = true, usualTemplate
		}
	}
}

// Places are where the token goes.
func (in *Injections) Places() []Place { return in.places }

// ResponsePaths are the members of an answer that go into requests.
func (in *Injections) ResponsePaths() []string { return in.responsePaths }

// NamesCallerInURL reports whether a caller's own token is in the query, which logs
// show.
func (in *Injections) NamesCallerInURL() bool { return in.subject != nil && len(in.subject.params) > 0 }

// WithoutParams takes out of a raw query whatever Into takes out of it.
func (in *Injections) WithoutParams(raw string) string {
	raw = in.subject.withoutParams(withoutParam(raw, accessTokenParam))
	for i := range in.places {
		if in.places[i].In == "query" {
			raw = withoutParam(raw, in.places[i].reading)
		}
	}
	return raw
}

// KeepOverConnection takes what the token goes into out of the headers that the caller
// wants dropped by the next proxy (RFC 9110 section 7.6.1).
func (in *Injections) KeepOverConnection(h http.Header) {
	for i := range in.places {
		if in.places[i].In == "header" {
			keepOverConnection(h, in.places[i].Name)
		}
	}
	keepOverConnection(h, "Cookie")
}

func (p *Place) check() error {
	if p.Name == "" {
		return errors.New("a name is missing")
	}
	switch p.In {
	case "header":
		if !httpguts.ValidHeaderFieldName(p.Name) {
			return fmt.Errorf("%q is not a header name", p.Name)
		}
		p.Name = textproto.CanonicalMIMEHeaderKey(p.Name)
		if p.Name == "Host" || p.Name == "Connection" || p.Name == "Content-Length" || p.Name == "Transfer-Encoding" {
			return fmt.Errorf("the header %s cannot carry a token", p.Name)
		}
		p.alike = strings.ContainsFunc(p.Name, func(r rune) bool { return headerByte(byte(r)) == '_' }) //nolint:gosec // names of fields are ASCII
		return nil
	case "query":
	case "cookie":
		if !httpguts.ValidHeaderFieldName(p.Name) {
			return fmt.Errorf("%q is not a cookie name", p.Name)
		}
	default:
		return fmt.Errorf("%q is unknown%s: use header, query or cookie", p.In, nearest.Hint(p.In, "header", "query", "cookie"))
	}
	if p.reading = newReading(p.Name); p.reading.least == 0 {
		return fmt.Errorf("%q is not a name", p.Name)
	}
	return nil
}

// compileTemplate splits a template once, so that expanding it never looks at
// the token's own characters.
func compileTemplate(text string) ([]piece, error) {
	var pieces []piece
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if before != "" {
			pieces = append(pieces, piece{literal: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New("a '{' is not closed")
		}
		path, isResponse := strings.CutPrefix(name, responsePrefix)
		if name != "access_token" && name != "id_token" && (!isResponse || path == "") {
			return nil, fmt.Errorf("{%s} is unknown: use {access_token}, {id_token} or {response.<path>}", name)
		}
		pieces = append(pieces, piece{value: name})
		text = after
	}
	return pieces, nil
}

// of returns what a piece stands for.
func (p *piece) of(t *keeper.Token) string {
	switch p.value {
	case "":
		return p.literal
	case "access_token":
		return t.AccessToken
	case "id_token":
		return t.IDToken
	}
	return t.Response[strings.TrimPrefix(p.value, responsePrefix)]
}

// render returns what goes into a place, "" if something of it is not there.
func (p *Place) render(t *keeper.Token) string {
	if p.usual && t.Key != nil { // RFC 9449 section 7.1
		return "DPoP " + t.AccessToken
	}
	var b strings.Builder
	for i := range p.template {
		text := p.template[i].of(t)
		if text == "" {
			return ""
		}
		b.WriteString(text)
	}
	return b.String()
}

// values returns what goes into each place for a token.
func (in *Injector) values(t *keeper.Token) []string {
	if r := in.rendered.Load(); r != nil && r.token == t {
		return r.values
	}
	r := &rendered{token: t, values: make([]string, len(in.places))}
	for i := range in.places {
		r.values[i] = in.places[i].render(t)
	}
	in.rendered.Store(r)
	return r.values
}

// Into returns a copy of the request that carries the token, and nothing of the
// caller's in its place. The request itself is not changed: whoever sent it may
// log it.
func (in *Injector) Into(req *http.Request, t *keeper.Token) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Header = maps.Clone(req.Header)
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	u := *req.URL
	out.URL = &u
	endH2C(out.Header)
	WithoutOurs(out.Header)

	// RFC 6750 section 2: a token is sent in one way only. What the caller put
	// into another one must not compete with ours.
	if !in.overwrites {
		delete(out.Header, "Authorization")
	}
	u.RawQuery = withoutParam(u.RawQuery, accessTokenParam)
	in.withoutCredentialTrailers(out)

	in.subject.removeFrom(out)
	in.Put(out, t)
	return out
}

// Put sets what the token is put into, in a request that Into returned, also if another
// token is there.
func (in *Injector) Put(out *http.Request, t *keeper.Token) {
	values := in.values(t)
	for i := range in.places {
		switch p := &in.places[i]; p.In {
		case "header":
			if p.alike {
				deleteAlike(out.Header, p.Name)
			}
			if out.Header[p.Name] = values[i : i+1 : i+1]; values[i] == "" {
				delete(out.Header, p.Name)
			}
		case "query":
			out.URL.RawQuery = withParam(out.URL.RawQuery, p, values[i])
		case "cookie":
			setCookie(out.Header, p, values[i])
		}
	}
}

// deleteAlike removes the spellings of a header's name that some servers cannot tell
// from it.
func deleteAlike(h http.Header, name string) {
	for key := range h {
		if alikeHeader(key, name) {
			delete(h, key)
		}
	}
}

func withParam(raw string, p *Place, value string) string {
	raw = withoutParam(raw, p.reading)
	if value == "" {
		return raw
	}
	if raw != "" {
		raw += "&"
	}
	return raw + url.QueryEscape(p.Name) + "=" + url.QueryEscape(value)
}

// setCookie replaces one cookie. The others are the application's, which may write
// them as it likes, and stay as they are.
func setCookie(h http.Header, p *Place, value string) {
	lines := withoutCookies(h["Cookie"], p.reading)
	if value == "" {
		h["Cookie"] = lines
		return
	}
	own := (&http.Cookie{Name: p.Name, Value: value}).String()
	if last := len(lines) - 1; last >= 0 {
		lines[last] = strings.TrimSuffix(strings.TrimRight(lines[last], " \t"), ";") + "; " + own
	} else {
		lines = append(lines, own)
	}
	h["Cookie"] = lines
}
