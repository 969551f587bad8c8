// Package asking answers whether a request reached a server: one request on one connection
// of its own, and in words where it ended if nothing came back.
//
// It knows HTTP, TLS, forward proxies, and which byte was written. It must not know what is
// asked, nor read an answer beyond its headers.
package asking

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/panics"
)

// Exchange is one request on one connection of its own. It knows for certain
// whether a byte of the request was written, which net/http does not tell, and
// lets the caller look once more before the first one is.
type Exchange struct {
	way

	// Sign, unless it is nil, puts into the headers of a request what is good for one writing
	// of it. It is called when nothing but the writing is left to be done. The connection is
	// kept then, for one more request: see Again.
	Sign func(h http.Header) error

	ctx        context.Context // of the request
	beforeSend func() error
	now        func() time.Time
	transport  *http.Transport // nil before the first request

	mu       sync.Mutex // held while beforeSend runs, so that it never outlives seal
	armed    bool       // the connection is up: what is written next is the request
	sealed   bool       // given up: nothing may be written any more
	refusal  error      // beforeSend's, or Sign's
	sent     bool       // the first byte may have left
	repeated bool       // … and somebody wants to write it once more
	sentAt   time.Time
}

// New returns an exchange with the server that a setting names: token_endpoint if that is
// "". Before the first byte of the request is written, beforeSend is called unless it is
// nil; its error cancels the request. now is the clock that SentAt is read from.
func New(setting string, beforeSend func() error, now func() time.Time) *Exchange {
	return &Exchange{way: way{setting: setting}, beforeSend: beforeSend, now: now}
}

// Refusal is the error of beforeSend, nil if it had none.
func (x *Exchange) Refusal() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.refusal
}

// SentAt is when the request was written, the zero time if it was not.
func (x *Exchange) SentAt() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sentAt
}

// maxHeader bounds the headers of an answer: far above what gateways add, since the
// tokens behind them count. Reading tiny ones takes 25 times their length of memory.
const maxHeader = 2 << 20

var (
	errSealed = errors.New("given up before it was sent")
	errTwice  = errors.New("what is signed is not sent twice")
)

// RoundTrip sends the request. Nobody follows redirects, negotiates HTTP/2,
// takes over a connection or tries twice: each could present a refresh token where
// or when the caller does not know of it.
func (x *Exchange) RoundTrip(req *http.Request, how Connection) (*http.Response, error) {
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.ready(req.Header) }}
	x.trace(trace)
	x.ctx = httptrace.WithClientTrace(req.Context(), trace)
	if x.transport == nil {
		x.transport = x.connecting(how)
		x.watch(x.transport, req)
	}
	resp, err := x.transport.RoundTrip(req.WithContext(x.ctx)) //nolint:contextcheck // see connecting
	if err != nil && x.again() {
		return nil, io.ErrUnexpectedEOF // which is why it was to be written once more
	}
	return resp, err
}

// again reports whether net/http wanted to write the request once more.
func (x *Exchange) again() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.repeated
}

// connecting returns what connects to the server, once but for what Again allows.
func (x *Exchange) connecting(how Connection) *http.Transport {
	dial := how.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	proxy := how.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	return &http.Transport{
		// net/http lets a dial and its TLS handshake go on when the request is over,
		// for as long as the server likes.
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(x.ctx, network, address) //nolint:contextcheck // see above
			if err != nil {
				return nil, err
			}
			x.dialled.Store(true)
			over := context.AfterFunc(x.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) //nolint:contextcheck // see above
			return &wire{Conn: conn, exchange: x, over: over}, nil
		},
		Proxy:                  proxy,
		TLSClientConfig:        how.TLS.Clone(),
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableKeepAlives:      x.Sign == nil,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Again readies the exchange for one more request after an answer that was read to its end,
// on the same connection if the server keeps it. Nobody is asked before it is sent.
func (x *Exchange) Again() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed, x.sealed, x.sent, x.sentAt, x.beforeSend = false, false, false, time.Time{}, nil
}

// Close closes the connection if it was kept.
func (x *Exchange) Close() {
	if x.transport != nil {
		x.transport.CloseIdleConnections()
	}
}

// ready is called when the connection is there, before anything is written to it, and in the
// goroutine of the round trip. What is signed is signed now, when nobody has to be waited for
// any more: it is good for a moment. A second call for one request is net/http's attempt to send
// it once more.
func (x *Exchange) ready(h http.Header) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sent {
		x.repeated = true
		return
	}
	x.armed = true
	if x.Sign == nil || x.refusal != nil || x.sealed || x.agree() != nil {
		return
	}
	x.refusal = x.Sign(h)
}

// agree asks whether the request may be sent, once. Called with x.mu held.
func (x *Exchange) agree() error {
	if x.beforeSend == nil {
		return x.refusal
	}
	ask := x.beforeSend
	x.beforeSend = nil
	// Perhaps on a goroutine of net/http, which guards none.
	if bug := panics.Contain(func() { x.refusal = ask() }); bug != nil {
		x.refusal = bug
	}
	return x.refusal
}

// permit is asked before anything is written to the connection. The TLS
// handshake may pass; the request only if beforeSend agrees.
func (x *Exchange) permit() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.repeated:
		return errTwice
	case !x.armed, x.sent:
		return nil
	case x.refusal != nil:
		return x.refusal
	case x.sealed:
		return errSealed
	}
	if err := x.agree(); err != nil {
		return err
	}
	if x.ctx.Err() != nil {
		return errSealed // it took too long
	}
	x.sent, x.sentAt = true, x.now()
	return nil
}

func (x *Exchange) wrote() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sent
}

// Seal ends the exchange: from now on it holds whether the request was sent.
func (x *Exchange) Seal() (sent bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sealed = true
	return x.sent
}

// wire is the connection as the exchange watches it.
type wire struct {
	net.Conn
	exchange *Exchange
	answered bool
	over     func() (stopped bool) // ends the watch for the end of the request
}

func (w *wire) Close() error {
	w.over()
	return w.Conn.Close()
}

// Read notes an answer that is a record of TLS: an alert, or its handshake. One in
// HTTP/2 ends here: that server waits for more, and nobody would say it.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 && !w.answered {
		failpoint.Behind("after-send")
		w.answered = true
		w.exchange.spokeTLS.Store(n > 2 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3)
		if isHTTP2(b[:n]) {
			return 0, errHTTP2
		}
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	if err := w.exchange.permit(); err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(b)
	if w.exchange.wrote() {
		failpoint.At("after-send")
	}
	return n, err
}
