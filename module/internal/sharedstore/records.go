package sharedstore

import (
	"context"
	"errors"
	"fmt"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// Load returns the record, as the store has it now. Its times are those of this
// process's clock, whoever wrote them.
func (s *Store) Load(ctx context.Context, name string) (*record.Record, error) {
	if err := recordstore.CheckName(name); err != nil {
		return nil, err
	}
	e := s.entry(name)
	begun, now := e.begin(), s.options().Wall()
	o, err := s.fetch(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if e.missed(begun) {
			s.rolledBack(true)
		}
		return nil, fmt.Errorf("%s: %w", s.Describe(name), recordstore.ErrNotFound)
	case err != nil:
		e.fail()
		return nil, fmt.Errorf("load %s: %w", s.Describe(name), err)
	}
	if rec := e.recall(name, o.Tag); rec != nil {
		return rec, nil
	}
	rec, stamp, err := recordstore.Decode(name, o.Data, s.keys.Identities()...)
	if err != nil {
		return nil, s.undecoded(e, name, o.Tag, err)
	}
	s.metEpoch(stamp.Epoch)
	rec = s.received(rec, o, now)
	revision, lost := e.met(rec, o.Tag, begun)
	if lost {
		s.rolledBack(true)
	}
	return copyOf(rec, name, revision), nil
}

// undecoded is the error of an object that is no record of the client's.
func (s *Store) undecoded(e *entry, name string, tag store.Tag, err error) error {
	err = fmt.Errorf("%s: %w", s.Describe(name), err)
	if errors.Is(err, recordstore.ErrForeign) || errors.Is(err, recordstore.ErrNewer) {
		return err
	}
	return e.unread(tag, err)
}

// errLeaseOver refuses a journal whose lease is over: another holder may have it.
var errLeaseOver = errors.New("the lease was not renewed in time")

// Save writes the record if the store still has the version of that revision.
func (s *Store) Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error {
	if err := recordstore.CheckName(name); err != nil {
		return err
	}
	e := s.entry(name)
	tag, ok := e.tagOf(ifRevision)
	if !ok {
		return fmt.Errorf("%s: %w", s.Describe(name), recordstore.ErrConflict)
	}
	if rec.Journals() && e.leaseOver() {
		return fmt.Errorf("save %s: %w: %w", s.Describe(name), store.ErrUnavailable, errLeaseOver)
	}
	return s.write(ctx, e, name, rec, ifRevision+1, tag)
}

// Replace writes over a record that is damaged, and that this process wrote. A readable
// one that shares no past with the caller's is not written over: two deployments have
// one place, and nothing here could keep what is lost.
func (s *Store) Replace(ctx context.Context, name string, rec *record.Record, revision, over uint64) error {
	if err := recordstore.CheckName(name); err != nil {
		return err
	}
	if over != 0 {
		return fmt.Errorf("%s: %w: it has another grant; two deployments that share a store need names or places of their own", s.Describe(name), recordstore.ErrForeign)
	}
	e := s.entry(name)
	e.mu.Lock()
	tag := e.damaged
	e.mu.Unlock()
	if tag == "" {
		return fmt.Errorf("%s: %w", s.Describe(name), recordstore.ErrConflict)
	}
	return s.write(ctx, e, name, rec, revision, tag)
}

// write writes a record over the version of that tag. After an error that leaves it in
// doubt only reading tells, which is the caller's: each write has an id of its own, and a
// late one fails because of its tag, or is told by the next read.
func (s *Store) write(ctx context.Context, e *entry, name string, given *record.Record, revision uint64, tag store.Tag) error {
	if given.Client != "" && given.Client != name {
		return fmt.Errorf("%s: refusing to save the record of client %q there", s.Describe(name), given.Client)
	}
	rec := copyOf(given, name, revision)
	rec.Written = s.options().Wall().UTC().Round(0)
	data, err := recordstore.Encode(rec, s.keys.Writing(), recordstore.Stamp{Epoch: s.epoch()})
	if err != nil {
		return fmt.Errorf("save %s: %w", s.Describe(name), err)
	}
	if len(data) > maxData {
		return fmt.Errorf("save %s: %w: the record has %d bytes, more than the %d that a shared store keeps", s.Describe(name), store.ErrFull, len(data), maxData)
	}
	s.clocks.wrote(given.WriteID)
	var written store.Tag
	err = s.call(ctx, "put", true, func(ctx context.Context, engine store.Engine) (err error) {
		written, err = engine.Put(ctx, name, data, tag)
		return err
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("%s: %w", s.Describe(name), recordstore.ErrConflict)
	case err != nil:
		e.fail()
		return fmt.Errorf("save %s: %w", s.Describe(name), err)
	}
	e.wrote(given, revision, written)
	return nil
}

// fail notes that somebody is to be told when the store is back.
func (e *entry) fail() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed = true
}
