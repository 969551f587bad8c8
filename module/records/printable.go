package records

import (
	"context"
	"slices"
	"strings"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/redact"
)

// printableStore hands on records and errors of a store that are fit to be talked
// about: what they hold is known as secret, and what they say for people, which
// another version or somebody else may have written, is escaped.
type printableStore struct{ recordstore.Store }

// Open is that of the store.
func (s printableStore) Open(ctx context.Context) error {
	return redact.Error(s.Store.Open(ctx))
}

// Load is that of the store.
func (s printableStore) Load(ctx context.Context, name string) (*record.Record, error) {
	rec, err := s.Store.Load(ctx, name)
	if err != nil {
		return nil, redact.Error(err)
	}
	for i := range rec.Lineages {
		for _, t := range rec.Lineages[i].Tokens {
			redact.Remember(t.RefreshToken)
		}
	}
	for i := range rec.AccessTokens {
		redact.Remember(rec.AccessTokens[i].AccessToken, rec.AccessTokens[i].IDToken)
	}
	return printable(rec), nil
}

// printable returns a record without what nobody may print. The store may have given it to
// others too: where something is changed, that is in a copy.
func printable(rec *record.Record) *record.Record {
	var own *record.Record
	change := func() *record.Record {
		if own == nil {
			r := *rec
			r.Lineages, r.AccessTokens = slices.Clone(r.Lineages), slices.Clone(r.AccessTokens)
			own = &r
		}
		return own
	}
	for i := range rec.Lineages {
		l := &rec.Lineages[i]
		if was := l.Loss; was != nil {
			loss := *was
			loss.Cause, loss.Detail, loss.Sentence = redact.Text(was.Cause), redact.Text(was.Detail), redact.Text(was.Sentence)
			if loss.Cause != was.Cause || loss.Detail != was.Detail || loss.Sentence != was.Sentence {
				change().Lineages[i].Loss = &loss
			}
		}
		// A look at a record must cost little where nothing is odd.
		if strings.ContainsFunc(l.TokenEndpoint, func(r rune) bool { return r <= ' ' || r > '~' }) {
			change().Lineages[i].TokenEndpoint = redact.Text(l.TokenEndpoint)
		}
	}
	for i := range rec.AccessTokens {
		if was := rec.AccessTokens[i].Unusable; was != redact.Text(was) {
			change().AccessTokens[i].Unusable = redact.Text(was)
		}
	}
	if own == nil {
		return rec
	}
	return own
}

// Replace is that of the store.
func (s printableStore) Replace(ctx context.Context, name string, rec *record.Record, revision, over uint64) error {
	return redact.Error(s.Store.Replace(ctx, name, rec, revision, over))
}

// Save is that of the store.
func (s printableStore) Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error {
	return redact.Error(s.Store.Save(ctx, name, rec, ifRevision))
}

// Claim is that of the store.
func (s printableStore) Claim(ctx context.Context, name string, token record.Fingerprint, free func(string) (bool, error)) (string, error) {
	owner, err := s.Store.Claim(ctx, name, token, free)
	return redact.Visible(owner), redact.Error(err)
}

// Claimed is that of the store.
func (s printableStore) Claimed(ctx context.Context, token record.Fingerprint) (string, error) {
	owner, err := s.Store.Claimed(ctx, token)
	return redact.Visible(owner), redact.Error(err)
}

// Lease is that of the store.
func (s printableStore) Lease(ctx context.Context, name string) (recordstore.Lease, error) {
	lease, err := s.Store.Lease(ctx, name)
	return lease, redact.Error(err)
}
