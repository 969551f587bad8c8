package records

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/carry"
	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/redact"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// carryPatience is how long a grant that is to be carried over may be in use.
const carryPatience = 10 * time.Second

// Adopt carries the grant of a client over to a record: from a store that a command names,
// or with "" from the record's own. A client of the configuration is left its grant.
func (s *Stores) Adopt(ctx context.Context, r *Record, client, named string) (*adminapi.AdoptResult, error) {
	if err := settings.CheckName(client); err != nil {
		return nil, err
	}
	from := r.Use
	if named != "" {
		var err error
		if from, err = s.named(named, r.Use); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	switch {
	case client == r.Key.name && from.Same(r.Use):
		return nil, fmt.Errorf("the grant of client %s is in that record already", client)
	case s.has(client, from):
		return nil, fmt.Errorf("client %s is one of the configuration, and would lose its grant: take it away from there first", client)
	}
	return over(ctx, from, client, r.Use, r.Key.name)
}

// has reports whether a client of the configuration has its record there.
func (s *Stores) has(client string, there *Use) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uses[there.id]
	return u != nil && slices.Contains(u.clients, client)
}

// Move carries the grant of a record over to a store that a command names.
func (s *Stores) Move(ctx context.Context, r *Record, named string) (*adminapi.AdoptResult, error) {
	to, err := s.named(named, r.Use)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	if to.Same(r.Use) {
		return nil, fmt.Errorf("the grant of client %s is there already", r.Key.name)
	}
	return over(ctx, r.Use, r.Key.name, to, r.Key.name)
}

// over carries the grant of one client's record over to another client's, or to another
// store.
func over(ctx context.Context, from *Use, client string, to *Use, as string) (*adminapi.AdoptResult, error) {
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
	if from.Same(to) || !errors.Is(err, encryption.ErrSealed) {
		return err
	}
	named, command := from, "move "+as+" --from "
	if client != as {
		command = "rename " + client + " " + as + " --from "
	}
	if to.temporary {
		named, command = to, "move "+as+" --to "
	}
	return fmt.Errorf("%w; if that is the other store's, name it with its key: lamplighter tokens %s%s", err, command, redact.Quoted(named.withKey(cmp.Or(theLedger().KeyOf(named.command), "/path/to/its/key"))))
}

// named finds a store that a command names: the JSON of one, or the directory of
// one that is encrypted as another is. Close gives it back.
func (s *Stores) named(named string, like *Use) (*Use, error) {
	p, err := placeNamed(named, like)
	if err != nil {
		return nil, err
	}
	if p.shared == nil {
		if info, err := os.Stat(p.dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("store: there is no directory %s that this process can see; the unit of a service may hide some from it (ProtectHome= those below /root and /home): copy the records below its own directory, owned by its user, and name that", p.dir)
		}
	}
	given := []*encryption.Keys{p.keys}
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
	p, err := placeOfFiles(placeholder.Where{}, config)
	if like.shared == nil {
		p.keys = like.keys
	}
	return p, err
}
