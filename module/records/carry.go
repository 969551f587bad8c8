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
)

// carryPatience is how long a grant that is to be carried over may be in use.
const carryPatience = 10 * time.Second

// Carry carries the grant of one client's record over to another client's, or to another
// store.
func Carry(ctx context.Context, from *Use, client string, to *Use, as string) (*adminapi.AdoptResult, error) {
	source, target := carry.End{Client: client, Store: from.store}, carry.End{Client: as, Store: to.store}
	if !from.Same(to) {
		source.Name, target.Name = from.command, to.command
	}
	ctx, cancel := context.WithTimeout(ctx, carryPatience)
	defer cancel()
	if from.running == nil && to.running == nil { // a command does it, without an instance
		for _, u := range []*Use{from, to} {
			if err := u.notRunning(ctx); err != nil {
				return nil, err
			}
		}
	}
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
	return fmt.Errorf("%w; if that is the other store's, name it with its key: lamplighter tokens %s%s", err, command, redact.Quoted(named.withKey("/path/to/its/key")))
}

// Named finds a store that a command names: the JSON of one, or the directory of
// one that is encrypted as another is. Close gives it back.
func (s *Stores) Named(named string, like *Use) (*Use, error) {
	p, err := placeNamed(named, like)
	if err != nil {
		return nil, err
	}
	if p.shared == nil {
		if info, err := os.Stat(p.dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("store: there is no directory %s", p.dir)
		}
	}
	given := []*store.Keys{p.keys}
	s.mu.Lock()
	if known := s.uses[p.id]; known != nil { // the last ones encrypt: all records of one place have the same keys
		given = append(given, known.keys)
	}
	s.mu.Unlock()
	u, err := use(p)
	if err != nil {
		return nil, err
	}
	u.temporary = true
	giveBack := func() { _, _ = stores.Delete(p.id) }
	if err := u.begin("", given...); err != nil {
		giveBack()
		return nil, err
	}
	done := u.close
	u.close = func() {
		done()
		giveBack()
	}
	return u, nil
}

// placeNamed returns a place that a command names.
func placeNamed(named string, like *Use) (Place, error) {
	if strings.HasPrefix(named, "{") {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		defer cancel() // an engine outlives what it was made by
		return PlaceOf(ctx, json.RawMessage(named))
	}
	config, err := json.Marshal(FileStore{Path: named})
	if err != nil {
		return Place{}, fmt.Errorf("store: %w", err)
	}
	p, err := placeOfFiles(config)
	if like.shared == nil {
		p.keys = like.keys
	}
	return p, err
}
