package client

import (
	"context"
	"net/http"
	"time"

	"lamplighter/module/exchange"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/observe"
)

// token returns a pass for a request: with the client's own token, or with that
// of its caller. Its error is *keeper.Unavailable, *percaller.Failure, or that of
// the request's context.
func (c *Client) token(req *http.Request, wait time.Duration, holdable bool) (keeper.Pass, error) {
	if c.callers == nil {
		return c.own(req, wait, holdable)
	}
	t, err := c.callers.Token(req, wait)
	return keeper.Pass{Token: t}, err
}

// own returns a pass with the client's own token. One that was restored, and is bound to a
// certificate that the client has no more, would be rejected: that is not waited for.
func (c *Client) own(req *http.Request, wait time.Duration, holdable bool) (keeper.Pass, error) {
	for again := false; ; again = true {
		held, err := c.keeper.Acquire(req.Context(), wait, holdable)
		if err != nil || !c.cfg.HasCertificate() || held.Token.Settle(c.server.Shows) || again {
			return held, err
		}
		c.keeper.Answered(held)
		c.keeper.Unauthorized(req.Context(), held.Token, wait)
	}
}

// Ready waits until there is a token for a request, and while a token is replaced
// that a holdable request would be held for.
func (c *Client) Ready(req *http.Request, wait time.Duration, holdable bool) error {
	if c.callers == nil {
		return c.keeper.Ready(req.Context(), wait, holdable)
	}
	_, err := c.callers.Token(req, wait)
	return err
}

// former returns a pass for the token before one that was rejected, if that has only
// just come, and is the client's own.
func (c *Client) former(rejected *keeper.Token) (keeper.Pass, bool) {
	if c.callers != nil {
		return keeper.Pass{}, false
	}
	return c.keeper.Former(rejected)
}

// unauthorized says what to do with the 401 that a token was answered with.
func (c *Client) unauthorized(req *http.Request, used *keeper.Token, wait time.Duration) keeper.Verdict {
	if c.callers == nil {
		return c.keeper.Unauthorized(req.Context(), used, wait)
	}
	return c.callers.Unauthorized(req, used, wait)
}

// state is what is known of the client's token. Of a client whose callers have
// tokens of their own, it is how the last exchange went.
func (c *Client) state() keeper.Status {
	if c.callers == nil {
		return c.keeper.Status()
	}
	return c.callers.Status(c.keeper.Status())
}

// waiting returns how many requests wait for a token now.
func (c *Client) waiting() int64 {
	if c.callers == nil {
		return c.keeper.Waiting()
	}
	return c.callers.Waiting()
}

// exchange is how the tokens of callers are exchanged.
func (c *Client) exchange() exchange.Settings {
	return exchange.Settings{
		Fingerprint:        record.FingerprintOfAll(c.allSettings()).String(),
		Source:             c.cfg.SubjectToken,
		Timeout:            time.Duration(c.cfg.Timeout),
		RefreshWindowRatio: c.cfg.RefreshWindowRatio,
		MaxEntries:         c.cfg.MaxEntries,
		Ask: func(ctx context.Context, subject string) tokenendpoint.Answer {
			began := time.Now()
			answer := c.askFor(ctx, subject)
			c.counts.Observe(answer.Outcome, time.Since(began))
			return answer
		},
		Notify: c.notifyOfCallers,
	}
}

func (c *Client) askFor(ctx context.Context, subject string) tokenendpoint.Answer {
	req, err := c.server.Resolve(c.TokenOf)
	if err != nil {
		return tokenendpoint.Answer{Outcome: tokenendpoint.Misconfigured, Cause: finding.CauseUnresolved, Detail: redact.Text(err.Error())}
	}
	req.SubjectToken = subject
	return c.traced(ctx, req)
}

// notifyOfCallers is told what happened to the exchanges: once a second under
// load, so that only what is logged is passed on.
func (c *Client) notifyOfCallers(e keeper.Event) {
	e.Client = c.name
	told := observe.InWords(e, c.about())
	if !c.log.Report(told) {
		return
	}
	c.counts.History.Add(told)
	c.events.Emit(told)
}
