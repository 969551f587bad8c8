package client

import (
	"encoding/json"
	"reflect"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/authserver"
	"lamplighter/module/inject"
	"lamplighter/module/records"
	"lamplighter/module/rejection"
	"lamplighter/module/settings"
	"lamplighter/module/tokenfile"
)

// kind is what clients have in common whose settings differ in nothing but their
// identity. There may be very many of them, so it is checked, compiled and kept
// once.
type kind struct {
	cfg        *settings.Client // with preset and defaults, and identityless
	injections *inject.Injections
	rejections *rejection.Rules
	files      []*tokenfile.Compiled
	server     *authserver.Server
	place      records.Place // of their records
}

// allSettings are all effective settings of a client.
func (c *Client) allSettings() *settings.Client { return c.cfg.Join(c.server.Identity()) }

// recentKinds is how many kinds are compared with a client's before it is taken
// for one of its own.
const recentKinds = 8

// kinds are those of one configuration. All methods may be called on nil, and
// concurrently.
type kinds struct {
	store json.RawMessage // of clients that name none

	mu     sync.Mutex
	recent []*kind // the one that was met last is the first
}

// of returns the kind of a client with these effective settings, which it checks
// if there is none yet.
func (k *kinds) of(ctx caddy.Context, effective *settings.Client) (*kind, settings.Identity, error) {
	rest, id := effective.Split()
	if k == nil {
		own, err := newKind(ctx, effective, rest, nil)
		return own, id, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	met := slices.IndexFunc(k.recent, func(known *kind) bool { return reflect.DeepEqual(known.cfg, rest) })
	if met > 0 {
		known := k.recent[met]
		copy(k.recent[1:], k.recent[:met])
		k.recent[0] = known
	}
	if met >= 0 {
		return k.recent[0], id, nil
	}
	own, err := newKind(ctx, effective, rest, k.store)
	if err != nil {
		return nil, id, err
	}
	k.recent = slices.Insert(k.recent, 0, own)
	k.recent = k.recent[:min(len(k.recent), recentKinds)]
	return own, id, nil
}

// newKind checks everything that can be known of settings without resolving them. A
// client without a store of its own has the one that is there in general.
func newKind(ctx caddy.Context, effective, rest *settings.Client, inGeneral json.RawMessage) (*kind, error) {
	compiled, err := effective.Compile()
	if err != nil {
		return nil, err
	}
	k := &kind{cfg: rest, injections: compiled.Injections, rejections: compiled.Rejections, files: compiled.Files}
	if k.server, err = authserver.New(ctx, effective, rest, compiled.Dialect); err != nil {
		return nil, err
	}
	config := effective.Store
	if config == nil {
		config = inGeneral
	}
	k.place, err = records.PlaceOf(ctx, config)
	return k, err
}
