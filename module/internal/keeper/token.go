package keeper

import (
	"crypto/tls"
	"time"

	"lamplighter/module/internal/store"
)

// Token is a published access token. It never changes.
type Token struct {
	// Generation counts the answers that were kept; a later one replaces this.
	Generation uint64

	// AccessToken and IDToken are for injection. They are secrets.
	AccessToken, IDToken string

	// Response holds further values of the answer, by path, for injection.
	Response map[string]string

	// Certificate is the one that the token was obtained with, and may be bound to.
	// nil if there was none, or if another process obtained the token.
	Certificate *tls.Certificate

	// ExpiresAt is when it must no longer be used, by the wall clock.
	ExpiresAt time.Time

	// ObtainedAt is when it was asked for, by the wall clock.
	ObtainedAt time.Time

	expires instant
}

// valid reports whether the token may be sent now.
func (t *Token) valid(mono, wall time.Time) bool {
	return t != nil && !t.expires.reached(mono, wall)
}

// urgent is when the token is about to expire: a tenth of its life before.
func (t *Token) urgent() instant {
	return t.expires.add(-t.ExpiresAt.Sub(t.ObtainedAt) / 10)
}

// clockTolerance is how far in the future a record may seem to be written
// before its access token is not trusted: the clock was set back since, and
// nobody knows how much of its lifetime is left.
const clockTolerance = time.Minute

// restore returns the token of a record that somebody else wrote, if it may be
// injected now, else nil.
func restore(rec *store.Record, mono, wall time.Time) *Token {
	t := rec.Token
	if t == nil || t.ObtainedAt.After(wall.Add(clockTolerance)) {
		return nil
	}
	left := t.ExpiresAt.Sub(wall)
	if left <= 0 {
		return nil
	}
	return tokenOf(rec, instant{mono: mono.Add(left), wall: t.ExpiresAt})
}

// tokenOf returns the record's token if it may be injected at all, else nil.
func tokenOf(rec *store.Record, expires instant) *Token {
	t := rec.Token
	if t == nil || t.Unusable != "" {
		return nil
	}
	return &Token{
		Generation:  rec.Generation,
		AccessToken: t.AccessToken,
		IDToken:     t.IDToken,
		Response:    t.Response,
		ExpiresAt:   t.ExpiresAt,
		ObtainedAt:  t.ObtainedAt,
		expires:     expires,
	}
}
