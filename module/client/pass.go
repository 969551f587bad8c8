package client

import (
	"net/http"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/observe"
	"lamplighter/module/rejection"
)

// Count counts a request, with the cause of one that was not sent.
func (c *Client) Count(o observe.Outcome, cause string) { c.counts.Requests.Count(o, cause) }

// Pass is the permission to send one request with a token of a client. It is all that a
// request on its way knows of the client.
type Pass struct {
	client   *Client
	req      *http.Request // that it was given for
	held     keeper.Pass
	wait     time.Duration // for a token
	holdable bool
}

// Pass waits for a token for a request. Its error is *keeper.Unavailable,
// *percaller.Failure, or that of the request's context.
func (c *Client) Pass(req *http.Request, wait time.Duration, holdable bool) (Pass, error) {
	held, err := c.token(req, wait, holdable)
	return Pass{c, req, held, wait, holdable}, err
}

// Token is the one that the request is sent with.
func (p *Pass) Token() *keeper.Token { return p.held.Token }

// Into returns a copy of a request with the token in it, and nothing of the caller's in
// its place.
func (p *Pass) Into(req *http.Request) *http.Request { return p.client.inject.Into(req, p.held.Token) }

// Renew returns the token that would be chosen now, for a request that has waited.
func (p *Pass) Renew() (*keeper.Token, error) {
	if p.held.Former && time.Now().Before(p.held.Token.ExpiresAt) {
		return p.held.Token, nil // which was replaced already, and is to be sent
	}
	fresh, err := p.client.token(p.req, p.wait, false)
	return fresh.Token, err
}

// Exchange puts another token into what Into returned.
func (p *Pass) Exchange(out *http.Request, t *keeper.Token) {
	p.held.Token = t
	p.client.inject.Put(out, t)
}

// Unavailable is the error of a request that cannot be sent with the token that there
// is now.
func (p *Pass) Unavailable() error {
	return &keeper.Unavailable{Status: p.client.state(), RetryAfter: time.Second}
}

// Answered says that the response headers are there, or that the request failed. It is
// called once.
func (p *Pass) Answered() { p.client.keeper.Answered(p.held) }

// Rejects reports whether an answer means that the token is dead.
func (p *Pass) Rejects(req *http.Request, res *http.Response) bool {
	if p.client.rejections.Holds(req, res) {
		return true
	}
	if p.held.Former {
		p.client.keeper.Behind()
	}
	p.client.keeper.Accepted(p.held.Token)
	return false
}

// Accepted notes that an upstream answers the caller without rejecting the token.
func (p *Pass) Accepted(req *http.Request) { p.client.counts.Rejections.Accepted(req.URL.Host) }

// Denied notes that the caller gets an answer of that upstream which rejects the token, and
// tells operators.
func (p *Pass) Denied(req *http.Request, res *http.Response, upstream string) {
	c := p.client
	c.counts.Rejected(c.log.Logger, c.events, c.name, req.URL.Host, adminapi.Rejection{
		Upstream: redact.Text(upstream), Status: res.StatusCode, Error: redact.Word(rejection.Code(res)), Generation: p.held.Token.Generation,
	})
}

// Former returns a pass with the token before this one, which was rejected, if that has
// only just come.
func (p *Pass) Former() (Pass, bool) {
	before := *p
	var ok bool
	if before.held, ok = p.client.former(p.held.Token); ok {
		p.client.counts.Unauthorized.Add(1)
	}
	return before, ok
}

// Prove takes the token before this one, if this one may be too young for an upstream, and
// the request cannot be sent again.
func (p *Pass) Prove() {
	if p.client.cfg.PerCaller() {
		return
	}
	if held, ok := p.client.keeper.Proven(p.held.Token); ok {
		p.held = held
	}
}

// Rejected says what to do about the rejection of the token, which may be that there is
// another one within wait.
func (p *Pass) Rejected(wait time.Duration) keeper.Verdict {
	p.client.counts.Unauthorized.Add(1)
	return p.client.unauthorized(p.req, p.held.Token, wait)
}

// Next returns a pass for sending the request again.
func (p *Pass) Next() (Pass, error) { return p.client.Pass(p.req, p.wait, p.holdable) }

// ProofRefused counts a proof of the request that was refused for a cause, and whether another one
// is sent.
func (p *Pass) ProofRefused(cause string, again bool) { p.client.counts.Proofs.Refused(cause, again) }

// Replayed counts that the request is sent again.
func (p *Pass) Replayed() { p.client.counts.Replayed.Add(1) }

// Wait is how long the request waits for a token.
func (p *Pass) Wait() time.Duration { return p.wait }

// ForOthers returns an error of *keeper.Unavailable if the token is of no use to whoever is
// handed it, because it is bound to the client's certificate (RFC 8705 section 3), and nobody
// has said that they have that. The pass is answered then.
func (p *Pass) ForOthers() error {
	c, t := p.client, p.held.Token
	if c.cfg.CertificateBound || !c.server.Binds(t.AccessToken, t.Certificate) {
		return nil
	}
	p.Answered()
	st := c.state()
	st.State, st.Trouble = keeper.StateMisconfigured, finding.Trouble{Condition: finding.Misconfiguration, Cause: explain.CauseNeedsCertificate}
	return &keeper.Unavailable{Status: st}
}
