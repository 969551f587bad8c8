package module

import (
	"net/http"
	"time"

	"lamplighter/module/internal/keeper"
)

// pass is the permission to send one request with a token of a client. It is all that a
// request on its way knows of the client.
type pass struct {
	client   *client
	req      *http.Request // that it was given for
	held     keeper.Pass
	wait     time.Duration // for a token
	holdable bool
}

// pass waits for a token for a request. Its error is *keeper.Unavailable,
// *percaller.Failure, or that of the request's context.
func (c *client) pass(req *http.Request, wait time.Duration, holdable bool) (pass, error) {
	held, err := c.token(req, wait, holdable)
	return pass{c, req, held, wait, holdable}, err
}

// token is the one that the request is sent with.
func (p *pass) token() *keeper.Token { return p.held.Token }

// into returns a copy of a request with the token in it, and nothing of the caller's in
// its place.
func (p *pass) into(req *http.Request) *http.Request { return p.client.inject.Into(req, p.held.Token) }

// renew returns the token that would be chosen now, for a request that has waited.
func (p *pass) renew() (*keeper.Token, error) {
	if p.held.Former && time.Now().Before(p.held.Token.ExpiresAt) {
		return p.held.Token, nil // which was replaced already, and is to be sent
	}
	fresh, err := p.client.token(p.req, p.wait, false)
	return fresh.Token, err
}

// exchange puts another token into what into returned.
func (p *pass) exchange(out *http.Request, t *keeper.Token) {
	p.held.Token = t
	p.client.inject.Put(out, t)
}

// unavailable is the error of a request that cannot be sent with the token that there
// is now.
func (p *pass) unavailable() error {
	return &keeper.Unavailable{Status: p.client.state(), RetryAfter: time.Second}
}

// answered says that the response headers are there, or that the request failed. It is
// called once.
func (p *pass) answered() { p.client.keeper.Answered(p.held) }

// rejects reports whether an answer means that the token is dead.
func (p *pass) rejects(req *http.Request, res *http.Response) bool {
	if p.client.rejections.Holds(req, res) {
		return true
	}
	p.client.keeper.Accepted(p.held.Token)
	return false
}

// former returns a pass with the token before this one, which was rejected, if that has
// only just come.
func (p *pass) former() (pass, bool) {
	before := *p
	var ok bool
	if before.held, ok = p.client.former(p.held.Token); ok {
		p.client.counts.Unauthorized.Add(1)
	}
	return before, ok
}

// rejected says what to do about the rejection of the token, which may be that there is
// another one within wait.
func (p *pass) rejected(wait time.Duration) keeper.Verdict {
	p.client.counts.Unauthorized.Add(1)
	return p.client.unauthorized(p.req, p.held.Token, wait)
}

// next returns a pass for sending the request again.
func (p *pass) next() (pass, error) { return p.client.pass(p.req, p.wait, p.holdable) }

// replayed counts that the request is sent again.
func (p *pass) replayed() { p.client.counts.Replayed.Add(1) }
