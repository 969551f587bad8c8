package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"time"

	"lamplighter/module/client"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/prover"
)

// A request may wait for a connection, and its token may expire or be replaced
// meanwhile. So the token is chosen again when the connection is there, for each attempt
// that net/http makes. That costs more than all the rest, and is left out where nobody
// waits for so long. The proof of a token that is bound to a key is made then, too: net/http
// sends a request again by itself, and nothing that is signed may be sent twice.

// connectionPatience is how long a request waits for a connection at the very most, unless
// the number of connections is limited: a dial and a TLS handshake take less.
const connectionPatience = time.Minute

// mayOutlast reports whether a request may still wait for its connection when the token
// expires.
func (t *Transport) mayOutlast(token *keeper.Token) bool {
	mayWait := t.MaxConnsPerHost > 0 || time.Until(token.ExpiresAt) < connectionPatience
	return mayWait && !slices.Contains(t.Versions, "3") // whose connections nobody is shown
}

// late chooses the token of a request again when its connection is there.
type late struct {
	transport *Transport
	pass      *client.Pass
	out       *http.Request   // as it is sent
	bound     *http.Transport // the connections of the token's certificate, nil without
	proofs    *prover.Proofs  // nil unless the token may be bound to a key
	callOff   context.CancelCauseFunc
	err       error // there was no token, or no proof: nothing was sent
}

// watch returns the request so that its token is chosen again.
func (l *late) watch() *http.Request {
	ctx, callOff := context.WithCancelCause(l.out.Context()) // ends with the caller's
	l.callOff = callOff
	l.out = l.out.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: l.gotConn, Got1xxResponse: l.early}))
	return l.out
}

// early is called with an answer before the answer, before reverse_proxy passes that on.
func (l *late) early(_ int, header textproto.MIMEHeader) error {
	l.transport.client.Injections().TakeBack(http.Header(header), l.pass.Token())
	if l.proofs != nil {
		prover.WithoutNonce(http.Header(header))
	}
	return nil
}

// gotConn is called in the goroutine of the round trip, before anything is written.
func (l *late) gotConn(info httptrace.GotConnInfo) {
	if l.err == nil {
		l.err = l.choose()
	}
	if l.err == nil && l.proofs != nil {
		l.err = l.proofs.Put(l.out, l.pass.Token())
	}
	if l.err == nil {
		return
	}
	// HTTP/2 writes nothing for a request that is called off, and HTTP/1 has the
	// connection for this request alone.
	l.callOff(l.err)
	if !l.isHTTP2(info.Conn) {
		_ = info.Conn.Close()
	}
}

func (l *late) choose() error {
	fresh, err := l.pass.Renew()
	switch {
	case err != nil:
		return err
	case fresh == l.pass.Token():
		return nil
	case l.bound == nil || l.transport.bound.of(fresh) == l.bound:
		l.pass.Exchange(l.out, fresh)
		return nil
	case time.Now().Before(l.pass.Token().ExpiresAt):
		return nil // the connection is that of its certificate
	}
	return l.pass.Unavailable()
}

func (l *late) isHTTP2(conn net.Conn) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	return slices.Contains(l.transport.Versions, "h2c")
}
