package sharedstore

import (
	"context"
	"errors"
	"fmt"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// Claim makes a refresh token the client's by one compare-and-swap of the object that
// its claim is in. Whoever changes that meanwhile is read, and judged, anew; so is a
// write in doubt.
func (s *Store) Claim(ctx context.Context, name string, token record.Fingerprint, free func(owner string) (bool, error)) (owner string, err error) {
	if err := recordstore.CheckName(name); err != nil {
		return "", err
	}
	object := claimsOf(token)
	for {
		known, tag, err := s.readClaims(ctx, object)
		if err != nil {
			return "", err
		}
		owner := known[token]
		if owner == name {
			return owner, nil
		}
		if owner != "" {
			if let, err := free(owner); err != nil || !let {
				return owner, err
			}
		}
		known[token] = name
		err = s.writeClaims(ctx, object, known, tag)
		switch {
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknown):
			continue // until ctx ends
		case err != nil:
			return "", fmt.Errorf("claims in %s: %w", s.Describe(object), err)
		}
		return name, nil
	}
}

// Claimed returns whose a refresh token is.
func (s *Store) Claimed(ctx context.Context, token record.Fingerprint) (owner string, err error) {
	known, _, err := s.readClaims(ctx, claimsOf(token))
	return known[token], err
}

func claimsOf(token record.Fingerprint) string { return store.ClaimsName(token.String()[:2]) }

// readClaims returns the claims in an object, none if it does not exist.
func (s *Store) readClaims(ctx context.Context, object string) (map[record.Fingerprint]string, store.Tag, error) {
	o, err := s.fetch(ctx, object)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return make(map[record.Fingerprint]string), "", nil
	case err != nil:
		return nil, "", fmt.Errorf("claims in %s: %w", s.Describe(object), err)
	}
	known, err := recordstore.DecodeClaims(o.Data)
	if err != nil {
		return nil, "", fmt.Errorf("claims in %s cannot be read: %w; restore the object from a backup, or remove it if no client was renamed or given another's refresh token", s.Describe(object), err)
	}
	return known, o.Tag, nil
}

func (s *Store) writeClaims(ctx context.Context, object string, known map[record.Fingerprint]string, tag store.Tag) error {
	data, err := recordstore.EncodeClaims(known)
	if err != nil {
		return err
	}
	if len(data) > maxData {
		return fmt.Errorf("%w: it has %d bytes, more than the %d that a shared store keeps", store.ErrFull, len(data), maxData)
	}
	return s.call(ctx, "put", true, func(ctx context.Context, engine store.Engine) error {
		_, err := engine.Put(ctx, object, data, tag)
		return err
	})
}
