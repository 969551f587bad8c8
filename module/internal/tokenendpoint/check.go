package tokenendpoint

import (
	"context"
	"errors"
	"fmt"
)

// Check returns an error if no token request can be made of these values: a key
// that cannot sign, a certificate of another key, a parameter that does not fit
// into JSON. It does all that Do does before it connects, and quotes no secret.
func (c *Client) Check(r Request) error {
	if err := c.check(r); err != nil {
		return err
	}
	if r.ClientSecretNext == "" {
		return nil
	}
	r.ClientSecret = r.ClientSecretNext
	if err := c.check(r); err != nil {
		return fmt.Errorf("client_secret_next: %w", err)
	}
	return nil
}

func (c *Client) check(r Request) error {
	r, err := c.withAssertions(r)
	if _, expired := errors.AsType[*AssertionExpired](err); expired {
		err = nil // it may be renewed at any moment
	}
	if _, unread := errors.AsType[*assertionUnread](err); unread {
		err = nil // which whoever resolves the values says
	}
	if err == nil {
		_, err = c.connect(&r)
	}
	if err == nil {
		_, err = c.build(context.Background(), &r)
	}
	if err != nil {
		return errors.New(secretsOf(&r).Text(err.Error()))
	}
	return nil
}
