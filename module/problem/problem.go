// Package problem answers a request in our own words: RFC 9457 problem details with
// the Proxy-Status of RFC 9209, never a secret, never an empty 200.
//
// It knows causes and HTTP. It must not know clients, or why something is wrong.
package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"

	"lamplighter/module/cause"
)

// Problem is an answer of our own. It holds no secret.
type Problem struct {
	// Type is that of RFC 9457: "about:blank", so that Title is the status in words.
	Type string `json:"type"`

	// Title is the status in words.
	Title string `json:"title"`

	// Status is the HTTP status.
	Status int `json:"status"`

	// Detail is what is wrong, in a sentence.
	Detail string `json:"detail"`

	// Client is the client whose token is missing, if it is about one.
	Client string `json:"client,omitempty"`

	// State is that client's.
	State string `json:"state,omitempty"`

	// Cause is the word for it in the table of causes.
	Cause string `json:"cause,omitempty"`

	// Remedy is what to do.
	Remedy string `json:"remedy,omitempty"`

	// RetryAfter is the value of that header, in seconds; 0 for none.
	RetryAfter int `json:"-"`

	// ProxyError is an error type of RFC 9209 section 2.3.
	ProxyError string `json:"-"`

	// Allow are the methods that a 405 must name (RFC 9110 section 15.5.6).
	Allow string `json:"-"`

	// Challenge is the WWW-Authenticate of a 401 (RFC 9110 section 11.6.1).
	Challenge string `json:"-"`
}

// Refused is the problem of a request that does not go on, whatever it asks for.
func Refused(status int, why cause.Cause) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: why.Sentence, Cause: why.Name, Remedy: why.Remedy, ProxyError: "http_request_denied",
	}
}

// Response is the problem as the answer to a request. It is an answer and not an
// error, because Caddy takes an error of a transport for the upstream's.
func (p *Problem) Response(req *http.Request) *http.Response {
	header, body := p.encode()
	return &http.Response{
		Status:        strconv.Itoa(p.Status) + " " + p.Title,
		StatusCode:    p.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}

// Write answers a request with the problem.
func (p *Problem) Write(w http.ResponseWriter) error {
	header, body := p.encode()
	maps.Copy(w.Header(), header)
	w.WriteHeader(p.Status)
	_, err := w.Write(body)
	return err
}

func (p *Problem) encode() (http.Header, []byte) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is no part of a page, and people read it
	body := []byte(`{"type":"about:blank","title":"Service Unavailable","status":503}`)
	if enc.Encode(p) == nil {
		body = text.Bytes()
	}
	h := http.Header{
		"Content-Type":   {"application/problem+json"},
		"Content-Length": {strconv.Itoa(len(body))},
		"Cache-Control":  {"no-store"},
		// It may quote a Host or an Origin, and is no page.
		"X-Content-Type-Options": {"nosniff"},
	}
	p.Annotate(h)
	return h, body
}

// Annotate sets the header fields that tell programs of the problem, whatever body
// goes with them.
func (p *Problem) Annotate(h http.Header) {
	h["Proxy-Status"] = []string{fmt.Sprintf("lamplighter; error=%s; details=%q", p.ProxyError, p.Cause)}
	if p.Challenge != "" {
		h.Set("Www-Authenticate", p.Challenge)
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
}
