package client

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/inject"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/percaller"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/observe"
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
	req, err := c.server.Resolve(c.TokenOf)
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
	subject, err := inject.CallersToken(req, c.cfg.SubjectToken)
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
	subject, err := inject.CallersToken(req, c.cfg.SubjectToken)
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
