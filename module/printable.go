package module

import (
	"context"
	"strings"

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
func (s printableStore) Load(ctx context.Context, name string) (store.Record, error) {
	rec, err := s.Store.Load(ctx, name)
	redact.Remember(rec.RefreshToken, rec.Imported)
	if t := rec.Token; t != nil {
		redact.Remember(t.AccessToken, t.IDToken)
		t.Unusable = redact.Text(t.Unusable)
	}
	if l := rec.Lost; l != nil {
		l.Cause, l.Detail = redact.Text(l.Cause), redact.Text(l.Detail)
	}
	// A look at a record must cost little where nothing is odd.
	if strings.ContainsFunc(rec.Binding.TokenEndpoint, func(r rune) bool { return r <= ' ' || r > '~' }) {
		rec.Binding.TokenEndpoint = redact.Text(rec.Binding.TokenEndpoint)
	}
	return rec, printableErr(err)
}

// Save is that of the store.
func (s printableStore) Save(ctx context.Context, name string, rec store.Record, ifRevision uint64) error {
	return printableErr(s.Store.Save(ctx, name, rec, ifRevision))
}

// Lease is that of the store.
func (s printableStore) Lease(ctx context.Context, name string) (store.Lease, error) {
	lease, err := s.Store.Lease(ctx, name)
	return lease, printableErr(err)
}
