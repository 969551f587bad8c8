package module

import (
	"context"
	"strings"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/store"
)

// printableError is an error whose text is fit to print. It is still the one that it
// was for errors.Is and errors.As.
// The text is only made when somebody wants it: at the first start of very many
// clients there is an error for each, that it has no record, which nobody prints.
type printableError struct{ err error }

// Error returns the text, fit to print.
func (e printableError) Error() string { return redact.Text(e.err.Error()) }

// Unwrap returns the error.
func (e printableError) Unwrap() error { return e.err }

// printableErr makes the text of an error fit to print, whatever it quotes.
func printableErr(err error) error {
	if err == nil {
		return nil
	}
	return printableError{err}
}

// printableStore hands on records and errors of a store that are fit to be talked
// about: what they hold is known as secret, and what they say for people, which
// another version or somebody else may have written, is escaped.
type printableStore struct{ store.Store }

// Open is that of the store.
func (s printableStore) Open(ctx context.Context) error {
	return printableErr(s.Store.Open(ctx))
}

// Load is that of the store.
func (s printableStore) Load(ctx context.Context, name string) (*record.Record, error) {
	rec, err := s.Store.Load(ctx, name)
	if err != nil {
		return nil, printableErr(err)
	}
	for i := range rec.Lineages {
		l := &rec.Lineages[i]
		for _, t := range l.Tokens {
			redact.Remember(t.RefreshToken)
		}
		if l.Loss != nil {
			l.Loss.Cause, l.Loss.Detail, l.Loss.Sentence = redact.Text(l.Loss.Cause), redact.Text(l.Loss.Detail), redact.Text(l.Loss.Sentence)
		}
		// A look at a record must cost little where nothing is odd.
		if strings.ContainsFunc(l.TokenEndpoint, func(r rune) bool { return r <= ' ' || r > '~' }) {
			l.TokenEndpoint = redact.Text(l.TokenEndpoint)
		}
	}
	for i := range rec.AccessTokens {
		t := &rec.AccessTokens[i]
		redact.Remember(t.AccessToken, t.IDToken)
		t.Unusable = redact.Text(t.Unusable)
	}
	return rec, nil
}

// Replace is that of the store.
func (s printableStore) Replace(ctx context.Context, name string, rec *record.Record, revision, over uint64) error {
	return printableErr(s.Store.Replace(ctx, name, rec, revision, over))
}

// Save is that of the store.
func (s printableStore) Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error {
	return printableErr(s.Store.Save(ctx, name, rec, ifRevision))
}

// Claim is that of the store.
func (s printableStore) Claim(ctx context.Context, name string, token record.Fingerprint, free func(string) (bool, error)) (string, error) {
	owner, err := s.Store.Claim(ctx, name, token, free)
	return redact.Visible(owner), printableErr(err)
}

// Claimed is that of the store.
func (s printableStore) Claimed(ctx context.Context, token record.Fingerprint) (string, error) {
	owner, err := s.Store.Claimed(ctx, token)
	return redact.Visible(owner), printableErr(err)
}

// Lease is that of the store.
func (s printableStore) Lease(ctx context.Context, name string) (store.Lease, error) {
	lease, err := s.Store.Lease(ctx, name)
	return lease, printableErr(err)
}
