package module

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"

	"lamplighter/module/internal/keeper"
)

// problem is an answer of our own: RFC 9457 problem details. It holds no secret.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Client string `json:"client,omitempty"`
	State  string `json:"state,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Remedy string `json:"remedy,omitempty"`

	retryAfter int
	proxyError string // an error type of RFC 9209
	challenge  string // of a 401
}

// noToken explains why a request finds no valid token.
func noToken(u *keeper.Unavailable) *problem {
	p := &problem{
		Type:       "about:blank",
		Title:      http.StatusText(http.StatusServiceUnavailable),
		Status:     http.StatusServiceUnavailable,
		Detail:     "there is no valid access token: " + u.Trouble.Detail,
		Client:     u.Client,
		State:      string(u.State),
		Cause:      u.Trouble.Cause,
		Remedy:     u.Trouble.Remedy,
		retryAfter: int(math.Ceil(u.RetryAfter.Seconds())),
		proxyError: "destination_unavailable",
	}
	switch u.Trouble.State {
	case keeper.StateMisconfigured, keeper.StateGrantLost, keeper.StateAwaitingGrant:
		p.proxyError = "proxy_configuration_error"
	}
	return p
}

// response is the problem as the answer to a request. It is an answer and not an
// error, because Caddy takes an error of a transport for the upstream's.
func (p *problem) response(req *http.Request) *http.Response {
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

// write answers a request with the problem.
func (p *problem) write(w http.ResponseWriter) error {
	header, body := p.encode()
	maps.Copy(w.Header(), header)
	w.WriteHeader(p.Status)
	_, err := w.Write(body)
	return err
}

func (p *problem) encode() (http.Header, []byte) {
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
		"Proxy-Status":           {fmt.Sprintf("lamplighter; error=%s; details=%q", p.proxyError, p.Cause)},
	}
	if p.challenge != "" {
		h.Set("Www-Authenticate", p.challenge)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	return h, body
}
