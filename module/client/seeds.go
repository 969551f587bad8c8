package client

import (
	"fmt"

	"go.uber.org/zap"

	"lamplighter/module/adminapi"
	"lamplighter/module/placeholder"
)

// claimSeed finds out whether another client was given the same refresh token: two would
// spend each other's. It is an error if their settings say so. Files and variables change later, beside records that need
// none of them: a client claims its seed before it sends it, so that only one does.
func (s *Set) claimSeed(c *Client) error {
	if c.seed == 0 || !c.cfg.Rotating() {
		return nil
	}
	other := s.seeds[c.seed]
	switch {
	case other == nil:
		s.seeds[c.seed] = c
		return nil
	case other.server.Identity().RefreshToken == c.server.Identity().RefreshToken:
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: refresh_token is the same as that of client %s: two clients would spend each other's; give each its own", c.name, other.name))
	}
	s.logger.Warn("the refresh_token of two clients is the same now, and only one of them sends it: give each its own",
		zap.String("client", c.name), zap.String("other", other.name), zap.String("declared_at", c.declaredAt))
	return nil
}

// suppliedSeed reads the refresh token that the operator supplied.
func (c *Client) suppliedSeed() (string, error) {
	r := placeholder.Resolver{Where: c.where()}
	seed := r.Value("refresh_token", c.server.Identity().RefreshToken)
	if r.Err != nil || seed == "" {
		return "", r.Err
	}
	seed, err := adminapi.CheckToken(seed)
	if err != nil {
		return "", err
	}
	return seed, nil
}
