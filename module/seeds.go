package module

import (
	"sync"

	"lamplighter/module/internal/record"
)

// seeds are the refresh tokens that the clients of a configuration were given, by
// their fingerprints. One token belongs to one client: two would
// spend each other's.
type seeds struct {
	mu      sync.Mutex
	owners  map[record.Fingerprint]*client
	claimed map[*client]record.Fingerprint
}

// claim makes a seed that of a client, unless it is another's. It returns whose it
// is. What the client had before is free for others: it was changed since.
func (s *seeds) claim(seed record.Fingerprint, c *client) (owner *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner = s.owners[seed]; owner != nil {
		return owner
	}
	if s.owners == nil {
		s.owners, s.claimed = make(map[record.Fingerprint]*client), make(map[*client]record.Fingerprint)
	}
	delete(s.owners, s.claimed[c])
	s.owners[seed], s.claimed[c] = c, seed
	return c
}

func (s *seeds) owner(seed record.Fingerprint) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[seed]
}

// letGo frees the seed of a client that is supplied with another's, which may be
// waiting for it.
func (s *seeds) letGo(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owners, s.claimed[c])
	delete(s.claimed, c)
}

// sameSeed is the error of a seed that is another client's.
type sameSeed struct{ other string }

func errSameSeed(other *client) error { return sameSeed{other.name} }

// Error names the other client.
func (e sameSeed) Error() string {
	return "refresh_token is the same as that of client " + e.other + ": two clients would spend each other's; give each its own"
}

// holder returns another client whose refresh token that is, or was; nil if there
// is none.
func (a *App) holder(refreshToken string, but *client) *client {
	if a == nil {
		return nil
	}
	for _, other := range a.list() {
		if other != but && other.cfg.Rotating() && other.keeper.Holds(refreshToken) {
			return other
		}
	}
	return nil
}

// ownSeed returns the seed that the operator supplied, and an error if it belongs to
// another client: it may have been changed since the configuration was loaded, and
// may be put right at any time.
func (c *client) ownSeed() (string, error) {
	seed, err := c.suppliedSeed()
	if seed == "" || c.app == nil || !c.cfg.Rotating() {
		return seed, err
	}
	fp := record.FingerprintOf(seed)
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
		c.app.seeds.letGo(c)
		return "", errSameSeed(other)
	}
	return seed, nil
}
