package keeper

import (
	"crypto/tls"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Token is a published access token. It never changes, but see [Token.Settle].
type Token struct {
	// Generation counts the answers that were kept; a later one replaces this.
	Generation uint64

	// AccessToken and IDToken are for injection. They are secrets.
	AccessToken, IDToken string

	// TokenType and Scope are those of the answer (RFC 6749 section 5.1), "" if it had none.
	TokenType, Scope string

	// Response holds further values of the answer, by path, for injection.
	Response map[string]string

	// Certificate is the one that the token was obtained with, and may be bound to.
	// nil if there was none, or if another process obtained the token.
	Certificate *tls.Certificate

	// Key is the one that the token is bound to, and that each request proves which carries
	// it (RFC 9449 section 7). nil if it is a bearer token.
	// Hash is what its proofs say of the token.
	Key  *dpop.Key
	Hash string

	// ExpiresAt is when it must no longer be used, by the wall clock.
	ExpiresAt time.Time

	// ObtainedAt is when it was asked for, by the wall clock.
	ObtainedAt time.Time

	expires when.Instant
	settled atomic.Pointer[tls.Certificate]
}

// Shown is the certificate that the token travels with: the one that it was obtained with,
// or else what [Token.Settle] was told. nil if there is none yet.
func (t *Token) Shown() *tls.Certificate {
	if t.Certificate != nil {
		return t.Certificate
	}
	return t.settled.Load()
}

// Settle asks with which certificate a token travels that another process obtained. Nobody
// is asked again who has named one: it may be replaced at any moment. Settle reports whether
// there is no reason to expect that the token is rejected.
func (t *Token) Settle(shows func(accessToken string) (*tls.Certificate, bool)) bool {
	if t.Shown() != nil {
		return true
	}
	c, ok := shows(t.AccessToken)
	if c != nil {
		t.settled.CompareAndSwap(nil, c)
	}
	return ok
}

// tokenOf returns the token that is injected, nil if the record has not the key that it is bound
// to, or one that nobody can read.
func tokenOf(l *grant.Live, rec *record.Record) *Token {
	key, ok := keyOf(l.Token, rec)
	if !ok {
		return nil
	}
	t := &Token{
		Key:         key,
		Generation:  l.Generation,
		AccessToken: l.Token.AccessToken,
		IDToken:     l.Token.IDToken,
		TokenType:   l.Token.TokenType,
		Scope:       l.Token.Scope,
		Response:    l.Token.Response,
		ExpiresAt:   l.Token.ExpiresAt,
		ObtainedAt:  l.Token.ObtainedAt,
		expires:     l.Expires,
	}
	if key != nil {
		t.Hash = dpop.Hash(t.AccessToken)
	}
	return t
}

// valid reports whether the token may be sent now.
func (t *Token) valid(now when.Now) bool { return t != nil && !t.expires.Reached(now) }
