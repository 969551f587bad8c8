package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
)

// Refresh obtains a new token now, with force despite Retry-After. Its error, as that of
// every order, is the context's.
func (c *Client) Refresh(ctx context.Context, force bool) (*adminapi.OrderResult, error) {
	return c.result(c.keeper.Refresh(ctx, force))
}

// Import tries a new refresh token, bound to a key unless that is nil, with force although
// another one lives, and with again although it was spent.
func (c *Client) Import(ctx context.Context, token string, key *dpop.Key, force, again bool) (*adminapi.OrderResult, error) {
	return c.result(c.keeper.ImportBound(ctx, token, key, force, again))
}

// ImportedKey reads the key that a refresh token is bound to which is to be imported, nil if that
// is "". It must be that of the settings if they name one.
func (c *Client) ImportedKey(text string) (*dpop.Key, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // as said
	}
	if c.cfg.DPoP == nil {
		return nil, errors.New("the client makes no proofs, so that a key is of no use: add 'dpop' to its settings")
	}
	key, err := dpop.Parse(text, "")
	if err != nil {
		return nil, fmt.Errorf("the key of DPoP: %w", err)
	}
	if c.cfg.DPoP.Key != "" {
		return nil, errors.New("the settings name the key of dpop: let them name this one, and import the refresh token without it")
	}
	return key, nil
}

// Revoke ends the client's grant at the authorization server (RFC 7009).
func (c *Client) Revoke(ctx context.Context) (*adminapi.OrderResult, error) {
	return c.result(c.keeper.Revoke(ctx))
}

// Keepable returns an error, fit for people, if a refresh token could not be kept now.
func (c *Client) Keepable(ctx context.Context) error {
	t := c.keeper.Keepable(ctx)
	if t.Condition == finding.Well {
		return nil
	}
	detail, remedy := c.Explain(t)
	return fmt.Errorf("%s; %s", detail, remedy)
}

// Keep imports what a log-in yields, with the key that it proved, nil without one, and returns
// what the server says to it: also if nobody waits, for nobody else has that refresh token.
func (c *Client) Keep(ctx context.Context, refreshToken string, key *dpop.Key) (*adminapi.OrderResult, error) {
	return c.result(c.keeper.LoggedIn(context.WithoutCancel(ctx), refreshToken, key))
}

func (c *Client) result(r keeper.Result, err error) (*adminapi.OrderResult, error) {
	if err != nil {
		return nil, err
	}
	detail, remedy := c.Explain(r.Trouble)
	if r.Kept {
		detail += "; the refresh token is kept, and presented again by itself"
	}
	return &adminapi.OrderResult{
		Client:   c.name,
		Obtained: r.Obtained,
		Revoked:  r.Revoked,
		Cause:    r.Trouble.Cause,
		Detail:   detail,
		Remedy:   remedy,
		Status:   c.status(r.Status, time.Now()),
	}, nil
}

// Open opens the store of the client's record, for a command that finds no instance.
// Close ends it.
func (c *Client) Open(ctx context.Context) error {
	c.record.Use.Open(ctx)
	if err := c.record.Use.Fault(); err != nil {
		c.record.Use.Close()
		return fmt.Errorf("client %s: store: %w", c.name, err)
	}
	return nil
}

// Attend lets the client work for somebody who reads on a terminal what is said of it.
func (c *Client) Attend() {
	c.log.Attended = true
	c.Start(1)
}

// Close ends the client's work, and gives its store back.
func (c *Client) Close() {
	c.Stop()
	c.record.Use.Close()
}

// Adopt carries the grant of another record over to the client, which goes on with
// it at once.
func (c *Client) Adopt(ctx context.Context, req adminapi.AdoptRequest) (*adminapi.AdoptResult, error) {
	if !c.cfg.Rotating() {
		return nil, fmt.Errorf("client %s keeps no refresh token of its own", c.name)
	}
	result, err := c.set.stores.Adopt(ctx, c.record, cmp.Or(req.Client, c.name), req.Store)
	if err == nil {
		c.keeper.Recheck()
	}
	return result, err
}

// MoveTo carries the client's grant over to a store that a command names.
func (c *Client) MoveTo(ctx context.Context, named string) (*adminapi.AdoptResult, error) {
	return c.set.stores.Move(ctx, c.record, named)
}
