package module

import (
	"fmt"
	"sync"

	"go.uber.org/zap"

	"lamplighter/module/internal/store"
)

// seeds are the refresh tokens that the clients of a configuration were given, by
// the beginning of their fingerprints. One token belongs to one client: two would
// spend each other's.
type seeds struct {
	mu     sync.Mutex
	owners map[string]*client
}

// claimed is how much of a fingerprint is kept: there may be very many.
const claimed = 16

// claim makes a seed that of a client, unless it is another's. It returns whose it
// is.
func (s *seeds) claim(seed store.Fingerprint, c *client) (owner *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := string(seed[:claimed])
	if owner = s.owners[key]; owner != nil {
		return owner
	}
	if s.owners == nil {
		s.owners = make(map[string]*client)
	}
	s.owners[key] = c
	return c
}

func (s *seeds) owner(seed store.Fingerprint) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[string(seed[:claimed])]
}

func errSameSeed(other *client) error {
	return fmt.Errorf("refresh_token is the same as that of client %s: two clients would spend each other's; give each its own", other.name)
}

// holder returns another client whose refresh token that is, or was; nil if there
// is none.
func (a *App) holder(refreshToken string, but *client) *client {
	if a == nil {
		return nil
	}
	for _, other := range a.list() {
		if other != but && other.cfg.rotating() && other.keeper.Holds(refreshToken) {
			return other
		}
	}
	return nil
}

// ownSeed returns the seed that the operator supplied, and none if it belongs to
// another client: it may have been changed since the configuration was loaded.
func (c *client) ownSeed() (string, error) {
	seed, err := c.suppliedSeed()
	if seed == "" || c.app == nil || !c.cfg.rotating() {
		return seed, err
	}
	fp := store.FingerprintOf(seed)
	other := c.app.seeds.owner(fp)
	if other == c {
		return seed, nil
	}
	if other == nil {
		if other = c.app.holder(seed, c); other == nil {
			other = c.app.seeds.claim(fp, c)
		}
	}
	if other != c {
		c.app.logger.Error("the refresh token is not used", zap.String("client", c.name), zap.Error(errSameSeed(other)))
		return "", nil
	}
	return seed, nil
}
