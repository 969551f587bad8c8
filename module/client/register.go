package client

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"go.uber.org/zap"

	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/records"
	"lamplighter/module/settings"
)

// AddAll provisions clients, as many at a time as there are processors: their
// secrets are in files. Which error is returned does not depend on that.
func (s *Set) AddAll(list map[string]*settings.Client) error {
	names := slices.Sorted(maps.Keys(list))
	found := make([]*Client, len(names))
	failed := make([]error, len(names))
	inParallel(len(names), func(i int) { found[i], failed[i] = s.newClient(names[i], list[names[i]]) })
	s.mu.Lock()
	defer s.mu.Unlock()
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

// Add provisions one more client. One that is declared in place is that of its block, and
// no other client may refer to it.
func (s *Set) Add(name string, cfg *settings.Client, inPlace bool) (*Client, error) {
	c, err := s.newClient(name, cfg)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.register(c); err != nil {
		return nil, err
	}
	c.inPlace = inPlace
	return c, s.connect(c)
}

// newClient is all of it that changes nothing in the set.
func (s *Set) newClient(name string, cfg *settings.Client) (*Client, error) {
	if cfg == nil {
		return nil, fmt.Errorf("client %s: it has no settings", name)
	}
	c, err := newClient(s.ctx, s.kinds, name, cfg)
	if err != nil {
		return nil, placeholder.Located(cfg.DeclaredAt, fmt.Errorf("client %s: %w", name, err))
	}
	c.set, c.log, c.events = s, &observe.Reporter{Logger: s.logger}, s.events
	for _, warning := range c.Warnings() {
		s.logger.Warn(warning, c.where().Fields()...)
	}
	return c, nil
}

// register makes a client known, and takes what it shares with other
// configurations. Called with s.mu held, as is connect.
func (s *Set) register(c *Client) error {
	if err := s.claimSeed(c); err != nil {
		return err
	}
	use, err := s.stores.Use(c.place, c.name)
	if err != nil {
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: store: %w", c.name, err))
	}
	if err := s.takeFiles(c, use.Directory()); err != nil {
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, err))
	}
	s.warnOfPlainRecords(c, use)
	if err := s.useTurns(c); err != nil {
		return err
	}
	if err := c.acquire(use); err != nil {
		return errors.Join(err, c.release())
	}
	s.clients[c.name] = c
	return nil
}

// takeFiles notes which files a client's token is kept in, and where its record is, if that
// is a directory.
func (s *Set) takeFiles(c *Client, store string) error {
	if err := s.files.Keep(store, "records of grants"); err != nil {
		return err
	}
	return s.files.Take(c.name, c.kind.files)
}

// warnOfPlainRecords warns once of a store that shows what a client keeps there. Called with s.mu
// held.
func (s *Set) warnOfPlainRecords(c *Client, use *records.Use) {
	if c.cfg.PerCaller() { // which keeps nothing
		return
	}
	if store, warning := use.PlainRecords(); warning != "" {
		s.logger.Warn(warning, append(c.where().Fields(), zap.String("store", store))...)
	}
}

// inParallel calls do with 0 to n-1, on all processors.
func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			do(i)
			<-turns
		})
	}
	wg.Wait()
}
