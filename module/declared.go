package module

import (
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/percaller"
	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// client is a declared Client at work in one configuration.
type client struct {
	name       string
	declaredAt string
	declared   *Client // as it was written; of a global one only until Start
	cfg        *Client // with preset and defaults
	inPlace    bool

	endpoint   *tokenendpoint.Client
	connection tokenendpoint.Connection
	inject     *injector

	store     store.Store
	storeKey  string
	keys      *store.Keys
	keeper    *keeper.Keeper
	keeperKey string
	turns     *keeper.Turns
	server    string // whose turns they are
	counts    *counts
	stopOnce  func()
	traces    traces
	log       *reporter
	events    *emitter

	callers    exchanger
	others     map[string]*client // whose tokens the settings mention
	dependents []*client          // which mention this one's
	discovery  discovery
	secret     secretChoice
}

// newClient checks everything about a client that can be known without network
// and writes, secrets included: a configuration error is found by `validate`.
func newClient(ctx caddy.Context, name string, cfg *Client) (*client, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	effective, err := cfg.effective()
	if err != nil {
		return nil, err
	}
	if err := effective.check(); err != nil {
		return nil, err
	}
	c := &client{name: name, declaredAt: cfg.DeclaredAt, declared: cfg, cfg: effective}
	if c.inject, err = compileInjections(effective.Inject); err != nil {
		return nil, err
	}
	if effective.perCaller() {
		c.inject.dropped = effective.subjectHeaders()
	}
	var tlsConfig *tls.Config
	if effective.TLS != nil {
		if tlsConfig, err = effective.TLS.MakeTLSClientConfig(ctx); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	c.connection = tokenendpoint.Connection{TLS: tlsConfig}
	if c.endpoint, err = tokenendpoint.New(effective.dialect(c.inject.responsePaths), c.connection, time.Now); err != nil {
		return nil, err
	}
	return c, c.checkResolved()
}

// acquire takes the keeper that the client shares with other configurations.
func (c *client) acquire() (err error) {
	if c.keys, err = encryptionKeys(c.cfg.Store); err != nil {
		return located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, err))
	}
	if c.store, c.storeKey, err = sharedStore(c.cfg.Store); err != nil {
		return err
	}
	if c.keeper, c.keeperKey, err = sharedKeeper(c.name, c.store, c.storeKey); err != nil {
		return err
	}
	var r resolver
	endpoint := r.value("token_endpoint", c.cfg.TokenEndpoint)
	if endpoint == "" {
		endpoint = c.cfg.Issuer
	}
	if c.turns, c.server, err = sharedTurns(endpoint); err != nil {
		return err
	}
	if c.counts, err = sharedCounts(c.name); err != nil || !c.cfg.perCaller() {
		return err
	}
	tokens, _, err := exchanges.LoadOrNew(c.keeperKey, func() (caddy.Destructor, error) {
		return pooled[*callersTokens]{value: &callersTokens{cache: percaller.New()}}, nil
	})
	if err != nil {
		return err
	}
	settings := *c.cfg
	settings.DeclaredAt = ""
	c.callers = exchanger{callersTokens: tokens.(pooled[*callersTokens]).value, key: c.keeperKey, settings: string(fingerprint(settings))}
	return nil
}

// release gives it back.
func (c *client) release() (err error) {
	if c.keeperKey != "" {
		_, err = keepers.Delete(c.keeperKey)
	}
	if c.counts != nil {
		_, countsErr := counted.Delete(c.name)
		err = errors.Join(err, countsErr)
	}
	if c.server != "" {
		_, turnsErr := requests.Delete(c.server)
		err = errors.Join(err, turnsErr)
	}
	if c.callers.key != "" {
		_, callersErr := exchanges.Delete(c.callers.key)
		err = errors.Join(err, callersErr)
	}
	if c.storeKey != "" {
		_, storeErr := stores.Delete(c.storeKey)
		err = errors.Join(err, storeErr)
	}
	return err
}

// seed reads the refresh token that the operator supplied.
func (c *client) seed() (string, error) {
	var r resolver
	seed := r.value("refresh_token", c.cfg.RefreshToken)
	return seed, r.err
}

func (c *client) seedFingerprint() store.Fingerprint {
	seed, _ := c.seed()
	return store.FingerprintOf(seed)
}

// warnings are about settings that work, or may work later.
func (c *client) warnings() (list []string) {
	if _, err := c.seed(); err != nil && c.cfg.rotating() {
		list = append(list, fmt.Sprintf("%v; it is needed at the first start, as long as there is no record of the grant", err))
	}
	list = append(list, c.cfg.literalSecrets()...)
	if c.cfg.TLS != nil && c.cfg.TLS.InsecureSkipVerify {
		list = append(list, "tls: with insecure_skip_verify anybody on the way to the token endpoint can take the secrets; use 'trust_pool' with the server's authority")
	}
	slices.Sort(list)
	return list
}

// start lets the keeper obey this configuration.
func (c *client) start(maxRequests int) {
	drains, _ := c.cfg.drains() // checked
	if c.cfg.perCaller() {
		return // its tokens are obtained when their callers come
	}
	c.stopOnce = c.keeper.Start(keeper.Settings{
		Rotating:           c.cfg.rotating(),
		RequireRotation:    c.cfg.rotating() && c.cfg.Rotation == "required",
		Drain:              drains,
		Quiesce:            time.Duration(c.cfg.Quiesce),
		RefreshWindowRatio: c.cfg.RefreshWindowRatio,
		MinRefreshInterval: time.Duration(c.cfg.MinRefreshInterval),
		Timeout:            time.Duration(c.cfg.Timeout),
		Looks:              &looks,
		Requests:           c.turns,
		MaxRequests:        maxRequests,
		Resolve:            c.inputs,
		Observe:            c.observe,
		Notify: func(e keeper.Event) {
			c.count(e)
			c.log.report(e)
			c.events.emit(e)
			if e.Kind == keeper.TokenObtained || e.Kind == keeper.TokenRestored {
				c.obtained()
			}
		},
	})
}

func (c *client) stop() {
	if c.stopOnce != nil {
		c.stopOnce()
	}
}

// Equal reports whether two declarations say the same, wherever they stand.
func (c *Client) Equal(other *Client) bool {
	a, b := *c, *other
	a.DeclaredAt, b.DeclaredAt = "", ""
	return reflect.DeepEqual(a, b)
}
