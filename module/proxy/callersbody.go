package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/cause"
	"lamplighter/module/problem"
	"lamplighter/module/replay"
)

// A body that cannot be read to its end fails the round trip, and reverse_proxy would
// count that against the upstream: one caller would take it from all others. So the
// caller is told, by an answer.

// callersBody knows whether the reading of a request's body failed.
type callersBody struct {
	io.ReadCloser

	mu     sync.Mutex
	closed bool // by us: later errors are ours
	err    error
}

// watchBody returns a copy of the request whose body is watched; itself, and nil, without
// a body.
func watchBody(req *http.Request) (*http.Request, *callersBody) {
	if !replay.HasBody(req) {
		return req, nil
	}
	b := &callersBody{ReadCloser: req.Body}
	return replay.WithBody(req, b), b
}

// Read reads the body.
func (b *callersBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.mu.Lock()
		if !b.closed && b.err == nil {
			b.err = err
		}
		b.mu.Unlock()
	}
	return n, err
}

// Close closes the body.
func (b *callersBody) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.ReadCloser.Close()
}

// problem is what the caller of a request is told of its body, nil if that did not fail.
// Nobody hears it who has gone away, and other handlers have a status of their own for
// what they refuse to read.
func (b *callersBody) problem(req *http.Request) *problem.Problem {
	if b == nil || req.Context().Err() != nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil || isA[caddyhttp.HandlerError](b.err) || isA[*http.MaxBytesError](b.err) {
		return nil
	}
	status := http.StatusBadRequest
	if slow, ok := errors.AsType[net.Error](b.err); ok && slow.Timeout() {
		status = http.StatusRequestTimeout
	}
	return problem.Refused(status, cause.Of("request_body_broken"))
}
