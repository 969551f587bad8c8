package module

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"lamplighter/module/placeholder"
	"lamplighter/module/settings"

	"go.uber.org/zap"
)

// addAll provisions clients, as many at a time as there are processors: their
// secrets are in files. Which error is returned does not depend on that.
func (a *App) addAll(list map[string]*settings.Client) error {
	names := slices.Sorted(maps.Keys(list))
	found := make([]*client, len(names))
	failed := make([]error, len(names))
	inParallel(len(names), func(i int) { found[i], failed[i] = a.newClient(names[i], list[names[i]]) })
	for i, c := range found {
		if failed[i] != nil {
			return failed[i]
		}
		if err := a.register(c); err != nil {
			return err
		}
	}
	return nil
}

// add provisions a client.
func (a *App) add(name string, cfg *settings.Client) (*client, error) {
	c, err := a.newClient(name, cfg)
	if err != nil {
		return nil, err
	}
	return c, a.register(c)
}

// newClient is all of it that changes nothing in the app.
func (a *App) newClient(name string, cfg *settings.Client) (*client, error) {
	if cfg == nil {
		return nil, fmt.Errorf("client %s: it has no settings", name)
	}
	c, err := newClient(a.ctx, a.kinds, name, cfg)
	if err != nil {
		return nil, placeholder.Located(cfg.DeclaredAt, fmt.Errorf("client %s: %w", name, err))
	}
	c.app, c.log, c.events = a, &reporter{logger: a.logger}, a.events
	for _, warning := range c.warnings() {
		a.logger.Warn(warning, zap.String("client", name), zap.String("declared_at", cfg.DeclaredAt))
	}
	return c, nil
}

// register makes a client known, and takes what it shares with other
// configurations.
func (a *App) register(c *client) error {
	if c.seed != 0 && c.cfg.Rotating() {
		if other := a.seeds.claim(c.seed, c); other != c {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: refresh_token is the same as that of client %s: two clients would spend each other's; give each its own", c.name, other.name))
		}
	}
	if err := a.useStore(c); err != nil {
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: store: %w", c.name, err))
	}
	if err := a.useTurns(c); err != nil {
		return err
	}
	if err := c.acquire(); err != nil {
		return errors.Join(err, c.release())
	}
	a.clients[c.name] = c
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
