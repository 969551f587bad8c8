package tokenendpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"

	"lamplighter/module/cause"
	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/redact"
)

// Do makes one token request and reads its answer. It returns when there is an
// answer or ctx ends; nothing is written afterwards. It never fails otherwise:
// what went wrong is in the Answer.
//
// A panic, which is a bug of ours, ends here and prints nothing of the request. What
// the answer holds is kept if it came so far.
func (c *Client) Do(ctx context.Context, r Request) (a Answer) {
	x := &exchange{way: way{setting: r.Setting}, beforeSend: r.BeforeSend, now: c.now}
	if bug := panics.Contain(func() { c.do(ctx, r, x, &a) }); bug != nil && a.Outcome == 0 {
		a = x.broken(bug)
	}
	return a
}

// do fills in the answer as far as it gets: first what it holds.
func (c *Client) do(ctx context.Context, r Request, x *exchange, a *Answer) {
	r, err := c.withAssertions(r)
	secrets := secretsOf(&r)
	if err != nil {
		*a = unmade(err, secrets)
		return
	}
	how, err := c.connect(&r)
	if err != nil {
		*a = unmade(err, secrets)
		return
	}
	req, err := c.build(ctx, &r)
	if err != nil {
		*a = unmade(err, secrets)
		return
	}
	addCredentials(secrets, req.Header.Get("Authorization"))

	how, presented := how.watched()
	resp, err := x.roundTrip(req, how)
	if err != nil {
		*a = x.failed(ctx, err, secrets)
		return
	}
	defer resp.Body.Close()
	x.seal()
	failpoint.At("after-headers")
	reply := readReply(resp)
	failpoint.At("after-body")
	*a = c.hold(reply, x.sentAt, valuesOf(&r))
	a.Certificate = presented.Load()
	secrets.Add(a.RefreshToken, a.AccessToken, a.IDToken)
	redact.Remember(a.RefreshToken, a.AccessToken, a.IDToken)
	*a = c.advised(c.described(*a, reply, secrets), x, &r, reply)
}

// broken is what comes of a panic before there is an answer.
func (x *exchange) broken(bug error) Answer {
	why := cause.Of(CauseInternal)
	a := Answer{Outcome: Misconfigured, Cause: why.Name, Detail: "the token request cannot be made: " + bug.Error(), Remedy: why.Remedy, Passes: why.Passes}
	if x.seal() {
		a.Outcome, a.SentAt, a.Detail = Unanswered, x.sentAt, "the answer cannot be read: "+bug.Error()
	}
	return a
}

// unmade is what comes of settings that no request can be made of.
func unmade(err error, secrets *redact.Secrets) Answer {
	return Answer{
		Outcome: Misconfigured, Cause: CauseInvalidRequest, Detail: secrets.Text(err.Error()),
		Remedy: cause.Of(CauseInvalidRequest).Remedy,
	}
}

// watched returns the connection so that it tells which certificate the client
// presents, if it has one and is asked for it.
func (c Connection) watched() (Connection, *atomic.Pointer[tls.Certificate]) {
	presented := new(atomic.Pointer[tls.Certificate])
	if c.TLS == nil || c.TLS.GetClientCertificate == nil {
		return c, presented
	}
	choose := c.TLS.GetClientCertificate
	c.TLS = c.TLS.Clone()
	c.TLS.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := choose(asked)
		if err == nil && len(cert.Certificate) > 0 {
			presented.Store(cert)
		}
		return cert, err
	}
	return c, presented
}

// connect returns how to reach the token endpoint: with the client's certificate
// if that is how it authenticates (RFC 8705 section 2).
func (c *Client) connect(r *Request) (Connection, error) {
	how := c.connection
	if c.dialect.AuthMethod != "tls_client_auth" || r.Certificate == "" {
		return how, nil
	}
	pair := r.Pair
	if pair == nil {
		made, err := tls.X509KeyPair([]byte(r.Certificate), []byte(r.PrivateKey))
		if err != nil {
			return how, errors.New("certificate and private_key are no pair of PEM texts that belong together")
		}
		pair = &made
	}
	config := how.TLS.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	config.Certificates = nil
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if asked.SupportsCertificate(pair) != nil {
			return new(tls.Certificate), nil
		}
		return pair, nil
	}
	how.TLS = config
	return how, nil
}

// failed sorts an exchange without an answer by whether the request was sent.
func (x *exchange) failed(ctx context.Context, err error, secrets *redact.Secrets) Answer {
	sent := x.seal()
	switch {
	case x.refusal != nil:
		return calledOff("not sent: " + x.refusal.Error())
	case !sent && errors.Is(ctx.Err(), context.Canceled):
		return calledOff("called off before the request was sent")
	case !sent:
		why, detail := x.ended(err, secrets)
		return Answer{Outcome: NotSent, Cause: why.Name, Detail: detail, Remedy: why.Remedy, Passes: why.Passes}
	}
	why := x.unanswered(err)
	return Answer{
		Outcome: Unanswered, SentAt: x.sentAt, Cause: why.Name, Remedy: why.Remedy, Passes: why.Passes,
		Detail: "the request was sent and no answer came that can be read: " + secrets.Text(reason(err)) + x.afterwards(),
	}
}

func calledOff(detail string) Answer {
	why := cause.Of(CauseCanceled)
	return Answer{Outcome: NotSent, Cause: why.Name, Detail: detail, Remedy: why.Remedy, Passes: why.Passes}
}

// reason tells why there is no answer, or only a part of one. Errors of parsing
// quote what they could not read, which may be a token: they are not printed.
func reason(err error) string {
	var op *net.OpError
	var own unreadable
	var timeout net.Error
	switch {
	case errors.As(err, &own):
		return own.Error()
	case hasLongHeaders(err):
		return "its headers are longer than 2 MiB"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the timeout is over"
	case errors.Is(err, context.Canceled):
		return "it was called off"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.HasSuffix(err.Error(), "EOF"):
		return "the connection was closed"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return "what came is no HTTP"
}
