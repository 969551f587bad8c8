package client

import (
	"context"
	"errors"
	"fmt"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
)

// inputs are what the keeper needs for the next token request.
func (c *Client) inputs() (keeper.Inputs, error) {
	req, err := c.server.Resolve(c.TokenOf)
	if err != nil {
		return keeper.Inputs{}, redact.Error(err)
	}
	// A seed that is gone is none: the record goes on without it.
	seed, err := c.suppliedSeed()
	if err != nil && !c.cfg.Rotating() {
		return keeper.Inputs{}, redact.Error(err)
	}
	redact.Remember(seed)
	fault := ""
	if _, odd := errors.AsType[adminapi.TokenError](err); odd {
		fault = err.Error()
	}
	return keeper.Inputs{
		Inputs: c.server.Inputs(req, seed, fault),
		Revoke: c.server.Revocation(c.TokenOf),
		Ask: func(ctx context.Context, q keeper.Request) tokenendpoint.Answer {
			ask := *req
			ask.RefreshToken, ask.KnownKey, ask.Keyed, ask.BeforeSend = q.RefreshToken, q.Key, q.Keyed, q.BeforeSend
			return c.traced(ctx, &ask)
		},
	}, nil
}

// TokenOf returns the access token of another client, which its settings mention.
func (c *Client) TokenOf(name string) (string, error) {
	if t := c.others[name].keeper.Current(); t != nil {
		return t.AccessToken, nil
	}
	return "", &keeper.NotYet{Detail: fmt.Sprintf("client %s, whose access token it sends, has none yet", name)}
}

// traced makes one token request, and shows it to whoever traces the client's requests.
func (c *Client) traced(ctx context.Context, req *tokenendpoint.Request) tokenendpoint.Answer {
	ctx, done := c.traces.Span(ctx, c.name, c.cfg.GrantType)
	answer := c.request(ctx, *req)
	done(answer)
	return answer
}

// request makes one token request. What its answer brings must fit into requests.
func (c *Client) request(ctx context.Context, req tokenendpoint.Request) tokenendpoint.Answer {
	answer := c.server.Do(ctx, req)
	if answer.Outcome != tokenendpoint.Granted || answer.Unusable != "" {
		return answer
	}
	// A bug in describing an answer must not cost what it brought.
	_ = panics.Contain(func() {
		answer.Unusable = c.inject.Unusable(&keeper.Token{AccessToken: answer.AccessToken, IDToken: answer.IDToken, Response: answer.Response})
	})
	return answer
}
