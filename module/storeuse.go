package module

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/store"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// storeUse is a store as one configuration uses it, for all clients whose records
// are there.
type storeUse struct {
	store   store.Store
	dir     string
	keys    *store.Keys
	owner   string // the client that named the keys
	network string // kind of its file system, if that is a network one

	err   error // why it could not be opened
	close func()
}

// useStore finds the store of a client's record. All records of one place are
// encrypted with the same keys.
func (s *set) useStore(c *Client) error {
	if u := s.storeUses[c.storeDir]; u != nil {
		if !u.keys.Same(c.keys) {
			return fmt.Errorf("encryption_key differs from that of client %s, whose record is in the same directory: give both the same, or another path", u.owner)
		}
		c.use = u
		return nil
	}
	st, err := sharedStore(c.storeDir)
	if err != nil {
		return err
	}
	c.use = &storeUse{store: st, dir: c.storeDir, keys: c.keys, owner: c.name, close: func() {}}
	s.storeUses[c.storeDir] = c.use
	return nil
}

// open opens the store with the keys of its records. Nothing may read or write a
// record before.
func (u *storeUse) open(ctx context.Context) {
	if file, ok := u.store.(printableStore).Store.(*store.File); ok {
		u.close = file.Encrypt(u.keys)
	}
	u.err = u.store.Open(ctx)
	if kind, ok := store.NetworkFileSystem(u.dir); ok {
		u.network = kind
	}
}

// check looks at what the client finds in its place. Only what no time heals is
// an error: clients that need no durable state go on without, and others say so
// when they need it.
func (c *Client) check(ctx context.Context) error {
	u := c.use
	if errors.Is(u.err, store.ErrNoLocks) && c.cfg.Rotating() {
		return fmt.Errorf("store: %w; choose another directory with 'store file { path <dir> }'", u.err)
	}
	if !c.cfg.Rotating() || c.seedErr == nil {
		return nil
	}
	_, seedErr := c.suppliedSeed() // it may be there by now
	if seedErr == nil {
		return nil
	}
	if _, err := u.store.Load(ctx, c.name); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w; it is needed because there is no record of an earlier run at %s", seedErr, u.store.Describe(c.name))
	}
	return nil
}

// storeDir returns the directory that settings name for records.
func storeDir(cfg *settings.StoreConfig) (string, error) {
	dir := filepath.Join(caddy.AppDataDir(), "oauth2_client")
	if cfg != nil && cfg.Path != "" {
		var r placeholder.Resolver
		dir = r.Value("store path", cfg.Path)
		if r.Err != nil {
			return "", r.Err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return dir, nil
}

// sharedStore returns the store of a directory, the same for all configurations,
// to be given back.
func sharedStore(dir string) (store.Store, error) {
	value, _, err := stores.LoadOrNew(dir, func() (caddy.Destructor, error) {
		return pooled[store.Store]{value: printableStore{store.NewFile(dir)}}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(pooled[store.Store]).value, nil
}
