package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/carry"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/store"
	"lamplighter/module/settings"
)

// carryPatience is how long a grant that is to be carried over may be in use.
const carryPatience = 10 * time.Second

// Carry carries the grant of one client's record over to another client's, or to another
// store.
func Carry(ctx context.Context, from *Use, client string, to *Use, as string) (*adminapi.AdoptResult, error) {
	source, target := carry.End{Client: client, Store: from.store}, carry.End{Client: as, Store: to.store}
	if !from.Same(to) {
		source.Name, target.Name = from.dir, to.dir
	}
	ctx, cancel := context.WithTimeout(ctx, carryPatience)
	defer cancel()
	if err := carry.Over(ctx, source, target); err != nil {
		return nil, withKey(err, from, client, to, as)
	}
	return &adminapi.AdoptResult{Client: as, From: from.store.Describe(client), Record: to.store.Describe(as)}, nil
}

// withKey adds to the error about a store that a command named, and that is encrypted for
// another key, how it is named together with its key.
func withKey(err error, from *Use, client string, to *Use, as string) error {
	if from.Same(to) || !errors.Is(err, store.ErrSealed) {
		return err
	}
	named, command := from, "move "+as+" --from "
	if client != as {
		command = "rename " + client + " " + as + " --from "
	}
	if to.temporary {
		named, command = to, "move "+as+" --to "
	}
	text, marshalErr := json.Marshal(settings.StoreConfig{Path: named.dir, EncryptionKey: []string{"/path/to/its/key"}})
	if marshalErr != nil {
		return err
	}
	return fmt.Errorf("%w; if that is the other store's, name it with its key: lamplighter tokens %s%s", err, command, redact.Quoted(string(text)))
}

// Named finds a store that a command names: the JSON of one, or the directory of
// one that is encrypted as another is. Close gives it back.
func (s *Stores) Named(named string, like *Use) (*Use, error) {
	p := Place{keys: like.keys}
	cfg := &settings.StoreConfig{Path: named}
	if strings.HasPrefix(named, "{") {
		cfg = new(settings.StoreConfig)
		if err := caddy.StrictUnmarshalJSON([]byte(named), cfg); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if cfg.Kind != "" && cfg.Kind != "file" {
			return nil, fmt.Errorf("store: there is no kind %q; there is: file", cfg.Kind)
		}
		var err error
		if p.keys, err = encryptionKeys(cfg); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	var err error
	if p.dir, err = directory(cfg); err != nil {
		return nil, err
	}
	if info, err := os.Stat(p.dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("store: there is no directory %s", p.dir)
	}
	given := []*store.Keys{p.keys}
	s.mu.Lock()
	if known := s.uses[p.dir]; known != nil { // the last ones encrypt: all records of one place have the same keys
		given = append(given, known.keys)
	}
	s.mu.Unlock()
	st, err := sharedStore(p.dir)
	if err != nil {
		return nil, err
	}
	u := &Use{store: st, dir: p.dir, temporary: true}
	var done []func()
	if file, ok := st.(printableStore).Store.(*store.File); ok {
		for _, keys := range given {
			done = append(done, file.Encrypt(keys))
		}
	}
	u.close = func() {
		for _, end := range done {
			end()
		}
		_, _ = stores.Delete(p.dir)
	}
	return u, nil
}
