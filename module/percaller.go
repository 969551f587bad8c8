package module

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/percaller"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/observe"
	"lamplighter/module/problem"
)

// exchanges keep the tokens of callers, by the identity of the record that the
// client would have, so that they survive a reload.
var exchanges = caddy.NewUsagePool()

// callersTokens are the tokens of a client's callers.
type callersTokens struct{ cache *percaller.Cache }

// exchanger exchanges the tokens of callers.
type exchanger struct {
	*callersTokens
	settings string // fingerprint: another scope is another token
}

func (c *Client) callersExchange(subject string) percaller.Exchange {
	return percaller.Exchange{
		Key:                percaller.KeyOf(c.callers.settings, subject),
		Settings:           c.callers.settings,
		SubjectToken:       subject,
		Timeout:            time.Duration(c.cfg.Timeout),
		RefreshWindowRatio: c.cfg.RefreshWindowRatio,
		MaxEntries:         c.cfg.MaxEntries,
		Ask: func(ctx context.Context) tokenendpoint.Answer {
			began := time.Now()
			answer := c.askFor(ctx, subject)
			c.counts.Observe(answer.Outcome, time.Since(began))
			return answer
		},
		Notify: c.notifyOfCallers,
	}
}

// notifyOfCallers is told what happened to the exchanges: once a second under
// load, so that only what is logged is passed on.
func (c *Client) notifyOfCallers(e keeper.Event) {
	e.Client = c.name
	told := observe.InWords(e, c.about())
	if !c.log.Report(told) {
		return
	}
	c.counts.History.Add(e)
	c.events.Emit(told)
}

func (c *Client) askFor(ctx context.Context, subject string) tokenendpoint.Answer {
	req, err := c.server.Resolve(c.otherToken)
	if err != nil {
		return tokenendpoint.Answer{Outcome: tokenendpoint.Misconfigured, Cause: grant.CauseUnresolved, Detail: redact.Text(err.Error())}
	}
	req.SubjectToken = subject
	ctx, done := c.traces.Span(ctx, c.name, c.cfg.GrantType)
	answer := c.request(ctx, *req)
	done(answer)
	return answer
}

// token returns a pass for a request: with the client's own token, or with that
// of its caller. Its error is *keeper.Unavailable, *percaller.Failure, or that of
// the request's context.
func (c *Client) token(req *http.Request, wait time.Duration, holdable bool) (keeper.Pass, error) {
	if !c.cfg.PerCaller() {
		return c.keeper.Acquire(req.Context(), wait, holdable)
	}
	subject, err := c.callersToken(req)
	if err != nil {
		return keeper.Pass{}, err
	}
	t, err := c.callers.cache.Token(req.Context(), wait, c.callersExchange(subject))
	return keeper.Pass{Token: t}, err
}

// Ready waits until there is a token for a request, and while a token is replaced
// that a holdable request would be held for.
func (c *Client) Ready(req *http.Request, wait time.Duration, holdable bool) error {
	if !c.cfg.PerCaller() {
		return c.keeper.Ready(req.Context(), wait, holdable)
	}
	_, err := c.token(req, wait, false)
	return err
}

// former returns a pass for the token before one that was rejected, if that has only
// just come, and is the client's own.
func (c *Client) former(rejected *keeper.Token) (keeper.Pass, bool) {
	if c.cfg.PerCaller() {
		return keeper.Pass{}, false
	}
	return c.keeper.Former(rejected)
}

// unauthorized says what to do with the 401 that a token was answered with.
func (c *Client) unauthorized(req *http.Request, used *keeper.Token, wait time.Duration) keeper.Verdict {
	if !c.cfg.PerCaller() {
		return c.keeper.Unauthorized(req.Context(), used, wait)
	}
	subject, err := c.callersToken(req)
	if err != nil {
		return keeper.Final
	}
	return c.callers.cache.Unauthorized(req.Context(), wait, c.callersExchange(subject), used)
}

// state is what is known of the client's token. Of a client whose callers have
// tokens of their own, it is how the last exchange went.
func (c *Client) state() keeper.Status {
	st := c.keeper.Status()
	if !c.cfg.PerCaller() {
		return st
	}
	st.Token, st.State, st.Record = adminapi.TokenPerCaller, keeper.StateOK, ""
	f := c.callers.cache.LastFailure()
	if f == nil {
		return st
	}
	st.State = keeper.StateBackoff
	if f.Misconfigured {
		st.State = keeper.StateMisconfigured
	}
	st.Trouble = f.Trouble()
	return st
}

// noCallersToken explains why a caller gets no token: 401 if that is its own
// affair (RFC 6750 section 3), else 503.
func noCallersToken(client string, f *percaller.Failure) *problem.Problem {
	p := &problem.Problem{
		Type:       "about:blank",
		Title:      http.StatusText(http.StatusServiceUnavailable),
		Status:     http.StatusServiceUnavailable,
		Detail:     "there is no access token for this caller: " + f.Detail,
		Client:     client,
		Cause:      f.Cause,
		Remedy:     f.Remedy(),
		RetryAfter: int(math.Ceil(f.RetryAfter.Seconds())),
		ProxyError: "destination_unavailable",
	}
	if f.Misconfigured {
		p.ProxyError = "proxy_configuration_error"
	}
	if f.Refused {
		p.Title, p.Status, p.RetryAfter = http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized, 0
		p.ProxyError = "http_request_denied"
		p.Challenge = "Bearer"
		if f != percaller.ErrNoSubjectToken {
			p.Challenge = `Bearer error="invalid_token"`
		}
	}
	return p
}

// Unavailable is the answer to a request for which there is no token, nil if its
// caller went away.
func (c *Client) Unavailable(err error) *problem.Problem {
	if u, ok := errors.AsType[*keeper.Unavailable](err); ok {
		return c.noToken(u)
	}
	if f, ok := errors.AsType[*percaller.Failure](err); ok {
		return noCallersToken(c.name, f)
	}
	return nil
}

// waiting returns how many requests wait for a token now.
func (c *Client) waiting() int64 {
	if !c.cfg.PerCaller() {
		return c.keeper.Waiting()
	}
	return c.callers.cache.Waiting()
}

// cacheEntries returns how many tokens of callers are kept, and how many
// refusals are remembered.
func (c *Client) cacheEntries() int {
	if !c.cfg.PerCaller() {
		return 0
	}
	return c.callers.cache.Len()
}

// errPerCaller refuses orders that make no sense for such a client.
func (c *Client) errPerCaller() error {
	if !c.cfg.PerCaller() {
		return nil
	}
	return caddy.APIError{
		HTTPStatus: http.StatusConflict,
		Err:        errors.New("client " + c.name + " has a token for each caller, and none of its own"),
	}
}
