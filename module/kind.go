package module

import (
	"crypto/tls"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/inject"
	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/rejection"
)

// kind is what clients have in common whose settings differ in nothing but their
// identity. There may be very many of them, so it is checked, compiled and kept
// once.
type kind struct {
	cfg        *Client // with preset and defaults, and identityless
	endpoint   *tokenendpoint.Client
	connection tokenendpoint.Connection
	injections *inject.Injections
	rejections *rejection.Rules
	pair       *keyPair // of certificate and private_key, nil without
	storeDir   string
	keys       *store.Keys
}

// identity are the settings that tell a client from others of its kind.
type identity struct{ tokenEndpoint, clientID, clientSecret, refreshToken string }

// identityless stands for a setting that is in the identity. No value can be
// resolved from it, so that nobody takes it for one.
const identityless = "{identity}"

// split takes the identity out of settings.
func (c *Client) split() (*Client, identity) {
	rest, id := *c, identity{c.TokenEndpoint, c.ClientID, c.ClientSecret, c.RefreshToken}
	for _, setting := range []*string{&rest.TokenEndpoint, &rest.ClientID, &rest.ClientSecret, &rest.RefreshToken} {
		if *setting != "" {
			*setting = identityless
		}
	}
	rest.DeclaredAt = ""
	return &rest, id
}

// settings are all effective settings of a client.
func (c *client) settings() *Client {
	all := *c.cfg
	all.TokenEndpoint, all.ClientID = c.id.tokenEndpoint, c.id.clientID
	all.ClientSecret, all.RefreshToken = c.id.clientSecret, c.id.refreshToken
	return &all
}

// recentKinds is how many kinds are compared with a client's before it is taken
// for one of its own.
const recentKinds = 8

// kinds are those of one configuration. All methods may be called on nil, and
// concurrently.
type kinds struct {
	mu     sync.Mutex
	recent []*kind // the one that was met last is the first
}

// of returns the kind of a client with these effective settings, which it checks
// if there is none yet.
func (k *kinds) of(ctx caddy.Context, effective *Client) (*kind, identity, error) {
	rest, id := effective.split()
	if k == nil {
		own, err := newKind(ctx, effective, rest)
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
	own, err := newKind(ctx, effective, rest)
	if err != nil {
		return nil, id, err
	}
	k.recent = slices.Insert(k.recent, 0, own)
	k.recent = k.recent[:min(len(k.recent), recentKinds)]
	return own, id, nil
}

// newKind checks everything that can be known of settings without resolving them.
func newKind(ctx caddy.Context, effective, rest *Client) (*kind, error) {
	if err := effective.check(); err != nil {
		return nil, err
	}
	k := &kind{cfg: rest}
	var err error
	if k.injections, err = effective.injections(); err != nil {
		return nil, err
	}
	if k.rejections, err = rejection.Compile(effective.Rejected, effective.RejectedOff); err != nil {
		return nil, err
	}
	var tlsConfig *tls.Config
	if effective.TLS != nil {
		// A copy: loading its modules empties it, and other clients' are compared with it.
		if tlsConfig, err = clientTLS(ctx, *effective.TLS); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	if effective.Certificate != "" && effective.PrivateKey != "" {
		k.pair = pairOfSettings(rest, ctx.Logger())
	}
	k.connection = tokenendpoint.Connection{TLS: tlsConfig, Proxy: rest.permittedProxy}
	if k.endpoint, err = tokenendpoint.New(effective.dialect(k.injections.ResponsePaths()), k.connection, time.Now); err != nil {
		return nil, err
	}
	if k.storeDir, err = storeDir(effective.Store); err != nil {
		return nil, err
	}
	k.keys, err = encryptionKeys(effective.Store)
	return k, err
}
