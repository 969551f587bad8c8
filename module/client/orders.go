package client

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/records"
	"lamplighter/module/settings"
)

// Refresh obtains a new token now, with force despite Retry-After. Its error, as that of
// every order, is the context's.
func (c *Client) Refresh(ctx context.Context, force bool) (*adminapi.OrderResult, error) {
	return c.result(c.keeper.Refresh(ctx, force))
}

// Import tries a new refresh token, with force although another one lives, and with again
// although it was spent.
func (c *Client) Import(ctx context.Context, token string, force, again bool) (*adminapi.OrderResult, error) {
	if again {
		return c.result(c.keeper.ImportAgain(ctx, token, force))
	}
	return c.result(c.keeper.Import(ctx, token, force))
}

// Revoke ends the client's grant at the authorization server (RFC 7009).
func (c *Client) Revoke(ctx context.Context) (*adminapi.OrderResult, error) {
	return c.result(c.keeper.Revoke(ctx))
}

// Keepable returns an error, fit for people, if a refresh token could not be kept now.
func (c *Client) Keepable(ctx context.Context) error {
	t := c.keeper.Keepable(ctx)
	if t.Condition == grant.Well {
		return nil
	}
	detail, remedy := c.Explain(t)
	return fmt.Errorf("%s; %s", detail, remedy)
}

// Keep imports what a log-in yields, and returns what the server says to it.
func (c *Client) Keep(ctx context.Context, refreshToken string) (*adminapi.OrderResult, error) {
	return c.Import(ctx, refreshToken, true, false)
}

func (c *Client) result(r keeper.Result, err error) (*adminapi.OrderResult, error) {
	if err != nil {
		return nil, err
	}
	detail, remedy := c.Explain(r.Trouble)
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
	name, from := cmp.Or(req.Client, c.name), c.record.Use
	if err := settings.CheckName(name); err != nil {
		return nil, err
	}
	if req.Store != "" {
		var err error
		if from, err = c.set.stores.Named(req.Store, c.record.Use); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	for _, other := range c.set.List() {
		if other.name != name || !other.record.Use.Same(from) {
			continue
		}
		if other == c {
			return nil, fmt.Errorf("the grant of client %s is in that record already", c.name)
		}
		return nil, fmt.Errorf("client %s is one of the configuration, and would lose its grant: take it away from there first", other.name)
	}
	result, err := records.Carry(ctx, from, name, c.record.Use, c.name)
	if err != nil {
		return nil, err
	}
	c.keeper.Recheck()
	return result, nil
}

// MoveTo carries the client's grant over to a store that a command names.
func (c *Client) MoveTo(ctx context.Context, named string) (*adminapi.AdoptResult, error) {
	other, err := c.set.stores.Named(named, c.record.Use)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	if other.Same(c.record.Use) {
		return nil, fmt.Errorf("the grant of client %s is there already", c.name)
	}
	return records.Carry(ctx, c.record.Use, c.name, other, c.name)
}
