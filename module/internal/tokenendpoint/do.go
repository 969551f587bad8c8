package tokenendpoint

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"

	"lamplighter/module/cause"
	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// Do makes one token request and reads its answer. It returns when there is an
// answer or ctx ends; nothing is written afterwards. It never fails otherwise:
// what went wrong is in the Answer.
//
// A panic, which is a bug of ours, ends here and prints nothing of the request. What
// the answer holds is kept if it came so far.
func (c *Client) Do(ctx context.Context, r Request) (a Answer) {
	x := asking.New(r.Setting, r.BeforeSend, c.now)
	if bug := panics.Contain(func() { c.do(ctx, r, x, &a) }); bug != nil && a.Outcome == 0 {
		a = broken(x, bug)
	}
	return a
}

// do makes the request, and once more while an answer says what its proof is to say: that is
// one attempt, of which the server has taken nothing before.
func (c *Client) do(ctx context.Context, r Request, x *asking.Exchange, a *Answer) {
	how, err := c.connect(&r)
	if err != nil {
		*a = unmade(err, secretsOf(&r))
		return
	}
	how, presented := how.Watched()
	defer x.Close()
	p := r.Prover.proves(r.URL)
	for c.once(ctx, r, x, how, p, a) {
		if ctx.Err() != nil {
			return
		}
		*a = Answer{}
		x.Again()
	}
	a.Certificate = presented.Load()
	c.checkCertificate(a)
	if p != nil {
		a.Proved = p.Key
	}
}

// once writes the request once, fills in the answer as far as it gets, first what it holds, and
// reports whether the request is to be written anew.
func (c *Client) once(ctx context.Context, r Request, x *asking.Exchange, how asking.Connection, p *proving, a *Answer) (again bool) {
	r, err := c.withAssertions(r)
	secrets := secretsOf(&r)
	if err != nil {
		*a = unmade(err, secrets)
		return false
	}
	req, err := c.build(ctx, &r)
	if err != nil {
		*a = unmade(err, secrets)
		return false
	}
	addCredentials(secrets, req.Header.Get("Authorization"))
	p.sign(x, req, secrets)

	resp, err := x.RoundTrip(req, how)
	if err != nil {
		*a = failed(ctx, x, err, secrets)
		return false
	}
	defer resp.Body.Close()
	x.Seal()
	failpoint.At("after-headers")
	reply := reading.Read(resp)
	failpoint.At("after-body")
	*a = c.hold(reply, x.SentAt(), valuesOf(&r))
	if r.ReadyAssertion != nil {
		a.ReadyAssertion = sha256.Sum256([]byte(r.clientAssertion))
	}
	p.bind(a, secrets)
	secrets.Add(a.RefreshToken, a.AccessToken, a.IDToken)
	redact.Remember(a.RefreshToken, a.AccessToken, a.IDToken)
	a.narrowed(r.Scope, secrets)
	*a = c.advised(c.described(*a, reply, secrets), x, &r, reply)
	if p.again(reply, a.Cause) {
		return true
	}
	p.explain(a, req)
	return false
}

// broken is what comes of a panic before there is an answer.
func broken(x *asking.Exchange, bug error) Answer {
	why := cause.Of(CauseInternal)
	a := Answer{Outcome: Misconfigured, Cause: why.Name, Detail: "the token request cannot be made: " + bug.Error(), Remedy: why.Remedy, Passes: why.Passes}
	if x.Seal() {
		a.Outcome, a.SentAt, a.Detail = Unanswered, x.SentAt(), "the answer cannot be read: "+bug.Error()
	}
	return a
}

// unmade is what comes of settings that no request can be made of.
func unmade(err error, secrets *redact.Secrets) Answer {
	if expired, ok := errors.AsType[*AssertionExpired](err); ok {
		why := expired.Row()
		return Answer{Outcome: NotSent, Cause: why.Name, Detail: secrets.Text(err.Error()), Remedy: why.Remedy, Passes: why.Passes}
	}
	if _, ok := errors.AsType[*assertionUnread](err); ok {
		why := cause.Of("unresolved_setting")
		return Answer{Outcome: Misconfigured, Cause: why.Name, Detail: secrets.Text(err.Error()), Remedy: why.Remedy}
	}
	return Answer{
		Outcome: Misconfigured, Cause: CauseInvalidRequest, Detail: secrets.Text(err.Error()),
		Remedy: cause.Of(CauseInvalidRequest).Remedy,
	}
}

// connect returns how to reach the token endpoint: with the client's certificate
// if that is how it authenticates (RFC 8705 section 2).
func (c *Client) connect(r *Request) (asking.Connection, error) {
	how := c.connection
	if !c.dialect.mutualTLS() || r.Certificate == "" {
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
func failed(ctx context.Context, x *asking.Exchange, err error, secrets *redact.Secrets) Answer {
	sent := x.Seal()
	switch {
	case x.Refusal() != nil:
		return calledOff("not sent: " + x.Refusal().Error())
	case !sent && errors.Is(ctx.Err(), context.Canceled):
		return calledOff("called off before the request was sent")
	case !sent:
		why, detail := x.Ended(err, secrets)
		return Answer{Outcome: NotSent, Cause: why.Name, Detail: detail, Remedy: why.Remedy, Passes: why.Passes}
	}
	why := x.Unanswered(err)
	return Answer{
		Outcome: Unanswered, SentAt: x.SentAt(), Cause: why.Name, Remedy: why.Remedy, Passes: why.Passes,
		Detail: "the request was sent and no answer came that can be read: " + secrets.Text(asking.Reason(err)) + x.Afterwards(),
	}
}

func calledOff(detail string) Answer {
	why := cause.Of(CauseCanceled)
	return Answer{Outcome: NotSent, Cause: why.Name, Detail: detail, Remedy: why.Remedy, Passes: why.Passes}
}
