package module

import (
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
)

// injector puts a client's token into requests, and takes out whatever the
// caller sent in its place.
type injector struct {
	*injections
	rendered atomic.Pointer[rendered]
}

// injections are a compiled list of Injection.
type injections struct {
	places        []place
	responsePaths []string
	subject       *subject // where a caller's own token is, nil unless it is exchanged
	overwrites    bool     // the header Authorization, so that it need not be removed
}

// place is a compiled Injection.
type place struct {
	in, name string
	template []piece
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

func compileInjections(list []Injection) (*injections, error) {
	in := new(injections)
	if len(list) == 0 {
		list = usualInjection
	}
	for _, inj := range list {
		p := place{in: inj.In, name: inj.Name}
		setDefault(&p.in, "header")
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("inject: %w", err)
		}
		text := inj.Value
		setDefault(&text, "{access_token}")
		var err error
		if p.template, err = compileTemplate(text); err != nil {
			return nil, fmt.Errorf("inject %s %s: %w", p.in, p.name, err)
		}
		for _, t := range p.template {
			if path, ok := strings.CutPrefix(t.value, responsePrefix); ok {
				in.responsePaths = append(in.responsePaths, path)
			}
		}
		in.places = append(in.places, p)
		in.overwrites = in.overwrites || p.in == "header" && p.name == "Authorization"
	}
	return in, nil
}

func (p *place) check() error {
	if p.name == "" {
		return errors.New("a name is missing")
	}
	switch p.in {
	case "header":
		if !httpguts.ValidHeaderFieldName(p.name) {
			return fmt.Errorf("%q is not a header name", p.name)
		}
		p.name = textproto.CanonicalMIMEHeaderKey(p.name)
		if p.name == "Host" || p.name == "Connection" || p.name == "Content-Length" || p.name == "Transfer-Encoding" {
			return fmt.Errorf("the header %s cannot carry a token", p.name)
		}
		p.alike = strings.ContainsFunc(p.name, func(r rune) bool { return headerByte(byte(r)) == '_' }) //nolint:gosec // names of fields are ASCII
		return nil
	case "query":
	case "cookie":
		if !httpguts.ValidHeaderFieldName(p.name) {
			return fmt.Errorf("%q is not a cookie name", p.name)
		}
	default:
		return fmt.Errorf("%q is unknown: use header, query or cookie", p.in)
	}
	if p.reading = newReading(p.name); p.reading.least == 0 {
		return fmt.Errorf("%q is not a name", p.name)
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
func (p *place) render(t *keeper.Token) string {
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
func (in *injector) values(t *keeper.Token) []string {
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

// into returns a copy of the request that carries the token, and nothing of the
// caller's in its place. The request itself is not changed: whoever sent it may
// log it.
func (in *injector) into(req *http.Request, t *keeper.Token) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Header = maps.Clone(req.Header)
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	u := *req.URL
	out.URL = &u
	endH2C(out.Header)

	// RFC 6750 section 2: a token is sent in one way only. What the caller put
	// into another one must not compete with ours.
	if !in.overwrites {
		delete(out.Header, "Authorization")
	}
	u.RawQuery = withoutParam(u.RawQuery, accessTokenParam)
	in.withoutCredentialTrailers(out)

	in.subject.removeFrom(out)
	in.put(out, t)
	return out
}

// put sets what the token is put into, in a request that into returned, also if another
// token is there.
func (in *injector) put(out *http.Request, t *keeper.Token) {
	values := in.values(t)
	for i := range in.places {
		switch p := &in.places[i]; p.in {
		case "header":
			if p.alike {
				deleteAlike(out.Header, p.name)
			}
			if out.Header[p.name] = values[i : i+1 : i+1]; values[i] == "" {
				delete(out.Header, p.name)
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

func withParam(raw string, p *place, value string) string {
	raw = withoutParam(raw, p.reading)
	if value == "" {
		return raw
	}
	if raw != "" {
		raw += "&"
	}
	return raw + url.QueryEscape(p.name) + "=" + url.QueryEscape(value)
}

// setCookie replaces one cookie. The others are the application's, which may write
// them as it likes, and stay as they are.
func setCookie(h http.Header, p *place, value string) {
	lines := withoutCookies(h["Cookie"], p.reading)
	if value == "" {
		h["Cookie"] = lines
		return
	}
	own := (&http.Cookie{Name: p.name, Value: value}).String()
	if last := len(lines) - 1; last >= 0 {
		lines[last] = strings.TrimSuffix(strings.TrimRight(lines[last], " \t"), ";") + "; " + own
	} else {
		lines = append(lines, own)
	}
	h["Cookie"] = lines
}
