// Package exchange answers which token a request is sent with where each caller has one of
// its own, for which the caller's token is exchanged (RFC 8693).
//
// It knows requests, as far as they hold their caller's token, and the cache of what that
// was exchanged for (percaller), which outlives a configuration. It must not know clients,
// settings and authorization servers: a token request is a function that it is given.
package exchange

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/percaller"
	"lamplighter/module/internal/tokenendpoint"
)

// Settings are how one client exchanges its callers' tokens.
type Settings struct {
	// Fingerprint is of all settings of the client: with another scope it is another token.
	Fingerprint string

	// Source is where a request has its caller's token, as in the setting subject_token.
	Source string

	// Timeout bounds one token request.
	Timeout time.Duration

	// RefreshWindowRatio is the share of the lifetime that remains when a token is
	// exchanged anew.
	RefreshWindowRatio float64

	// MaxEntries is how many tokens are kept.
	MaxEntries int

	// Ask makes one token request for a caller's token.
	Ask func(ctx context.Context, subjectToken string) tokenendpoint.Answer

	// Notify is told what happened to the exchanges: once a second under load.
	Notify func(keeper.Event)
}

// Tokens are the tokens of one client's callers, as one configuration uses them.
type Tokens struct {
	Settings

	key   any
	cache *percaller.Cache
}

// caches keep the tokens of callers, by the identity of the record that their client would
// have, so that they survive a reload.
var caches = caddy.NewUsagePool()

// Of returns the tokens of the callers of a client with that identity, to be given back
// with Release.
func Of(key any, s Settings) (*Tokens, error) {
	value, _, err := caches.LoadOrNew(key, func() (caddy.Destructor, error) { return pooled{percaller.New()}, nil })
	if err != nil {
		return nil, err
	}
	return &Tokens{Settings: s, key: key, cache: value.(pooled).Cache}, nil
}

// Release gives them back. They are forgotten with the last configuration that uses them.
func (t *Tokens) Release() error {
	_, err := caches.Delete(t.key)
	return err
}

// Token returns the token for a request's caller, for which the request waits so long at
// most. Its error is *percaller.Failure, or that of the request's context.
func (t *Tokens) Token(req *http.Request, wait time.Duration) (*keeper.Token, error) {
	subject, err := callersToken(req, t.Source)
	if err != nil {
		return nil, err
	}
	return t.cache.Token(req.Context(), wait, t.exchange(subject))
}

// Unauthorized says what to do with the 401 that a token was answered with.
func (t *Tokens) Unauthorized(req *http.Request, used *keeper.Token, wait time.Duration) keeper.Verdict {
	subject, err := callersToken(req, t.Source)
	if err != nil {
		return keeper.Final
	}
	return t.cache.Unauthorized(req.Context(), wait, t.exchange(subject), used)
}

// ForcedIn is how long it is until a 401 may bring another exchange about for a request's
// caller, 0 if one may now.
func (t *Tokens) ForcedIn(req *http.Request) time.Duration {
	subject, err := callersToken(req, t.Source)
	if err != nil {
		return 0
	}
	return t.cache.ForcedIn(t.exchange(subject))
}

func (t *Tokens) exchange(subject string) percaller.Exchange {
	return percaller.Exchange{
		Key:                percaller.KeyOf(t.Fingerprint, subject),
		Settings:           t.Fingerprint,
		SubjectToken:       subject,
		Timeout:            t.Timeout,
		RefreshWindowRatio: t.RefreshWindowRatio,
		MaxEntries:         t.MaxEntries,
		Ask:                func(ctx context.Context) tokenendpoint.Answer { return t.Ask(ctx, subject) },
		Notify:             t.Notify,
	}
}

// Status puts into what is known of their client how the last exchange went.
func (t *Tokens) Status(st keeper.Status) keeper.Status {
	st.Token, st.State, st.Record = adminapi.TokenPerCaller, keeper.StateOK, ""
	f := t.cache.LastFailure()
	if f == nil {
		return st
	}
	st.State = keeper.StateBackoff
	if f.Misconfigured {
		st.State = keeper.StateMisconfigured
	}
	st.Trouble = f.Trouble()
	return st
}

// Waiting returns how many requests wait for a token now.
func (t *Tokens) Waiting() int64 { return t.cache.Waiting() }

// Len returns how many tokens are kept, and how many refusals are remembered.
func (t *Tokens) Len() int { return t.cache.Len() }

// pooled makes a cache fit for a UsagePool.
type pooled struct{ *percaller.Cache }

// Destruct does nothing: a cache has no goroutine.
func (pooled) Destruct() error { return nil }
