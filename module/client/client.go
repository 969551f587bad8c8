// Package client answers what one client does at work: it has a keeper keep its token, gives
// requests the permission to be sent with one, and holds what the clients of one
// configuration share (kinds, seeds, turns to ask an authorization server).
//
// It knows settings, the authorization server, records, and who is told (observe). It must
// not know requests on their way, which have a [Pass] of it and no more, nor the app,
// commands and HTTP servers; what callers have of their own is exchange's.
package client

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/authserver"
	"lamplighter/module/exchange"
	"lamplighter/module/inject"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/records"
	"lamplighter/module/settings"
	"lamplighter/module/tokenfile"
)

// Client is a declared client at work in one configuration.
type Client struct {
	set        *Set // nil in some tests
	name       string
	declaredAt string
	inPlace    bool // declared by the block that uses it, which nobody else may
	handsOut   bool // its tokens are handed to others

	*kind
	server *authserver.Client
	inject inject.Injector

	seed    record.Fingerprint // of its refresh token when it was provisioned; until Start
	seedErr error              // why that could not be read

	record   *records.Record
	keeper   *keeper.Keeper // of the record
	turns    *keeper.Turns
	counts   *observe.Counts
	stopOnce func()

	traces observe.Traces
	log    *observe.Reporter
	events *observe.Emitter

	files      *tokenfile.Files   // that its token is kept in, nil if there are none
	callers    *exchange.Tokens   // nil unless each caller has a token of its own
	others     map[string]*Client // whose tokens the settings mention
	dependents []*Client          // which mention this one's
}

// newClient checks everything about a client that can be known without network
// and writes, secrets included: a configuration error is found by `validate`.
func newClient(ctx caddy.Context, kinds *kinds, name string, cfg *settings.Client) (*Client, error) {
	if err := settings.CheckName(name); err != nil {
		return nil, err
	}
	effective, err := cfg.Effective()
	if err != nil {
		return nil, err
	}
	c := &Client{name: name, declaredAt: cfg.DeclaredAt}
	var id settings.Identity
	if c.kind, id, err = kinds.of(c.where().In(ctx), effective); err != nil {
		return nil, err
	}
	c.inject.Injections = c.injections
	c.files = tokenfile.New(c.kind.files, name, func(f tokenfile.State, written bool) {
		observe.ReportFile(c.log.Logger, name, f, written)
	})
	c.server = c.kind.server.Of(name, id)
	if err := c.server.CheckResolved(cfg.DeclaredAt); err != nil {
		return nil, err
	}
	seed, err := c.suppliedSeed()
	c.seed, c.seedErr = record.FingerprintOf(seed), err
	return c, nil
}

// where is whose settings they are, and where.
func (c *Client) where() placeholder.Where {
	return placeholder.Where{Client: c.name, DeclaredAt: c.declaredAt}
}

// acquire takes what the client shares with other configurations.
func (c *Client) acquire(use *records.Use) (err error) {
	c.record = use.Record(c.name, c.log.Logger)
	c.keeper, c.counts = c.record.Keeper, observe.CountsOf(c.name)
	c.server.ProofRefused = c.counts.Proofs.Refused
	if c.cfg.PerCaller() {
		c.callers, err = exchange.Of(c.record.Key, c.exchange())
	}
	return err
}

// release gives it back.
func (c *Client) release() (err error) {
	if c.record == nil {
		return nil
	}
	c.record.Release()
	observe.ReleaseCounts(c.name)
	if c.callers != nil {
		err = c.callers.Release()
	}
	return err
}

// Warnings are about settings that work, or may work later.
func (c *Client) Warnings() (list []string) {
	if c.seedErr != nil && c.cfg.Rotating() {
		list = append(list, fmt.Sprintf("%v; it is needed at the first start, as long as there is no record of the grant", c.seedErr))
	}
	list = append(list, c.allSettings().Warnings()...)
	list = append(list, c.server.ProofWarnings()...)
	if c.inject.NamesCallerInURL() {
		list = append(list, "subject_token: access logs show the query, and so the callers' tokens; use {http.request.header.<name>}, or filter the log with 'format filter'")
	}
	slices.Sort(list)
	return list
}

// Start lets the keeper obey this configuration, with so many token requests at a time at
// its authorization server.
func (c *Client) Start(maxRequests int) {
	drains, _ := c.cfg.Drains() // checked
	if c.cfg.PerCaller() {
		return // its tokens are obtained when their callers come
	}
	c.stopOnce = c.keeper.Start(keeper.Settings{
		Settings: step.Settings{
			Bound:                 c.server.Bound(),
			Rotating:              c.cfg.Rotating(),
			RequireRotation:       c.cfg.Rotating() && c.cfg.Rotation == "required",
			Drain:                 drains,
			RefreshWindowRatio:    c.cfg.RefreshWindowRatio,
			MinRefreshInterval:    time.Duration(c.cfg.MinRefreshInterval),
			Timeout:               time.Duration(c.cfg.Timeout),
			ReuseGrace:            time.Duration(c.cfg.ReuseGrace),
			RefreshTokenExpiresIn: time.Duration(c.cfg.RefreshTokenExpiresIn),
		},
		Quiesce:     time.Duration(c.cfg.Quiesce),
		HandsOut:    c.handsOut || c.cfg.AllowPrint,
		Looks:       &looks,
		Requests:    c.turns,
		MaxRequests: maxRequests,
		Elsewhere:   c.record.Elsewhere,
		Spent:       c.record.Spent,
		Reach:       c.record.Reach,
		Declared:    func(name string) bool { return c.set != nil && name != c.name && c.set.Get(name) != nil },
		Resolve:     c.inputs,
		Observe:     c.counts.Observe,
		Notify: func(e keeper.Event) {
			observe.Contain(c.log.Logger, "while an event was told", func() { c.tell(e) })
		},
		HandOver: c.files.HandOver(),
	})
	if !c.log.Attended { // the files are the instance's
		c.files.Start(c.keeper)
	}
}

// tell tells everybody what happened to the client.
func (c *Client) tell(e keeper.Event) {
	c.counts.Count(e)
	told := observe.InWords(e, c.about())
	told.BecauseOf = c.counts.Rejections.Because(e)
	c.counts.History.Add(told)
	c.log.Report(told)
	c.events.Emit(told)
	if e.Kind == finding.TokenObtained || e.Kind == finding.TokenRestored {
		c.obtained()
	}
}

// Stop ends what Start began.
func (c *Client) Stop() {
	if c.stopOnce != nil {
		c.stopOnce()
		c.files.Stop()
	}
}
