package module

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// addAll provisions clients, as many at a time as there are processors: their
// secrets are in files. Which error is returned does not depend on that.
func (s *set) addAll(list map[string]*settings.Client) error {
	names := slices.Sorted(maps.Keys(list))
	found := make([]*Client, len(names))
	failed := make([]error, len(names))
	inParallel(len(names), func(i int) { found[i], failed[i] = s.newClient(names[i], list[names[i]]) })
	for i, c := range found {
		if failed[i] != nil {
			return failed[i]
		}
		if err := s.register(c); err != nil {
			return err
		}
	}
	for _, c := range found {
		if err := s.connect(c); err != nil {
			return err
		}
	}
	return nil
}

// add provisions a client.
func (s *set) add(name string, cfg *settings.Client) (*Client, error) {
	c, err := s.newClient(name, cfg)
	if err != nil {
		return nil, err
	}
	return c, s.register(c)
}

// newClient is all of it that changes nothing in the set.
func (s *set) newClient(name string, cfg *settings.Client) (*Client, error) {
	if cfg == nil {
		return nil, fmt.Errorf("client %s: it has no settings", name)
	}
	c, err := newClient(s.ctx, s.kinds, name, cfg)
	if err != nil {
		return nil, placeholder.Located(cfg.DeclaredAt, fmt.Errorf("client %s: %w", name, err))
	}
	c.set, c.log, c.events = s, &observe.Reporter{Logger: s.logger}, s.events
	for _, warning := range c.warnings() {
		s.logger.Warn(warning, zap.String("client", name), zap.String("declared_at", cfg.DeclaredAt))
	}
	return c, nil
}

// register makes a client known, and takes what it shares with other
// configurations.
func (s *set) register(c *Client) error {
	if err := s.claimSeed(c); err != nil {
		return err
	}
	if err := s.useStore(c); err != nil {
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: store: %w", c.name, err))
	}
	if err := s.useTurns(c); err != nil {
		return err
	}
	if err := c.acquire(); err != nil {
		return errors.Join(err, c.release())
	}
	s.clients[c.name] = c
	return nil
}

// claimSeed finds out whether another client has the same refresh token. It is an error
// if their settings say so. Files and variables change later, beside records that need
// none of them: a client claims its seed before it sends it, so that only one does.
func (s *set) claimSeed(c *Client) error {
	if c.seed == 0 || !c.cfg.Rotating() {
		return nil
	}
	other := s.seeds.claim(c.seed, c)
	switch {
	case other == c:
		return nil
	case other.server.Identity().RefreshToken == c.server.Identity().RefreshToken:
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: refresh_token is the same as that of client %s: two clients would spend each other's; give each its own", c.name, other.name))
	}
	s.logger.Warn("the refresh_token of two clients is the same now, and only one of them sends it: give each its own",
		zap.String("client", c.name), zap.String("other", other.name), zap.String("declared_at", c.declaredAt))
	return nil
}

// inParallel calls do with 0 to n-1, on all processors.
func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
