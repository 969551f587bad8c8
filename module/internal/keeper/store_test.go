package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// memoryStore is the disk as one process sees it.
type memoryStore struct {
	disk *disk
	proc *machine
	cut  atomic.Bool // off the disk

	tries atomic.Int32 // for the lease
	reads atomic.Int32
}

var errCut = errors.New("no route to host")

// gone is why a process cannot reach the disk.
func (s *memoryStore) gone() error {
	switch {
	case s.proc.dead.Load():
		return errDead
	case s.cut.Load():
		return errCut
	}
	return nil
}

// cutOff ends the connection to the disk. A lease ends by that, after a while.
func (s *memoryStore) cutOff() {
	s.cut.Store(true)
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if h := s.disk.holder; h != nil && h.store == s {
		time.AfterFunc(s.disk.lease, func() { s.disk.overdue(h) })
	}
}

// heal ends that: whoever watches is told.
func (s *memoryStore) heal() {
	s.cut.Store(false)
	s.disk.mu.Lock()
	changed := s.disk.watch[s]
	s.disk.mu.Unlock()
	if changed != nil {
		changed()
	}
}

func (s *memoryStore) Open(context.Context) error { return nil }

// LeaseLength is that of the disk, 0 unless replicas share it.
func (s *memoryStore) LeaseLength() time.Duration { return s.disk.lease }

func (s *memoryStore) Describe(name string) string { return "/data/" + name + ".json" }

func (s *memoryStore) Load(ctx context.Context, _ string) (*record.Record, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.disk.unreadable(); err != nil {
		return nil, err
	}
	if !s.disk.exists {
		return nil, recordstore.ErrNotFound
	}
	s.reads.Add(1)
	rec := *s.disk.record
	return rec.Received(time.Since(s.disk.written), s.proc.wall()), nil
}

func (s *memoryStore) Save(ctx context.Context, _ string, rec *record.Record, ifRevision uint64) error {
	d, point := s.disk, "save"
	if journals(rec) {
		point = "journal"
	}
	d.at(s.proc, "before-"+point)
	if err := s.gone(); err != nil {
		return err
	}
	if err := d.waitForOthers(ctx, s); err != nil {
		return err
	}
	if slow := d.slowness(); slow > 0 {
		time.Sleep(slow)
		if s.proc.dead.Load() {
			return errDead
		}
	}
	if err := d.save(s, rec, ifRevision); err != nil {
		return err
	}
	d.at(s.proc, "after-"+point)
	if s.proc.dead.Load() {
		return errDead
	}
	return nil
}

func (s *memoryStore) Watch(_ string, changed func()) (stop func()) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.disk.watch[s] = changed
	return func() { s.unwatch() }
}

func (s *memoryStore) unwatch() {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	delete(s.disk.watch, s)
}

func (s *memoryStore) Claim(ctx context.Context, name string, token record.Fingerprint, free func(string) (bool, error)) (string, error) {
	if err := s.gone(); err != nil {
		return "", err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	owner := s.disk.claims[token]
	if owner != "" && owner != name {
		if let, err := free(owner); err != nil || !let {
			return owner, err
		}
	}
	s.disk.claims[token] = name
	return name, ctx.Err()
}

func (s *memoryStore) Claimed(_ context.Context, token record.Fingerprint) (string, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return s.disk.claims[token], nil
}

// memoryLease is the sole right to spend the refresh token on a disk.
type memoryLease struct {
	store *memoryStore
	lost  error
}

func (s *memoryStore) Lease(ctx context.Context, _ string) (recordstore.Lease, error) {
	s.tries.Add(1)
	if err := s.gone(); err != nil {
		return nil, err
	}
	// Of those that try at the same moment it is always the same one that gets it.
	if !pass(ctx, s.proc.turn()) {
		return nil, ctx.Err()
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.proc.dead.Load() {
		return nil, errDead
	}
	if s.disk.leaseErr != nil {
		return nil, s.disk.leaseErr
	}
	if s.disk.holder != nil {
		return nil, recordstore.ErrBusy
	}
	lease := &memoryLease{store: s}
	s.disk.holder = lease
	return lease, nil
}

// Replace writes over what is damaged, or of revision over, and keeps that aside.
func (s *memoryStore) Replace(ctx context.Context, _ string, rec *record.Record, revision, over uint64) error {
	if err := s.disk.waitForOthers(ctx, s); err != nil {
		return err
	}
	if s.proc.dead.Load() {
		return errDead
	}
	if err := s.disk.setAside(revision-1, over); err != nil {
		return err
	}
	return s.disk.save(s, rec, revision-1)
}

// setAside makes room for the revision that follows.
func (d *disk) setAside(revision, over uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.unreadable()
	whole := errors.Is(err, recordstore.ErrForeign) || errors.Is(err, recordstore.ErrExposed) || errors.Is(err, recordstore.ErrNewer)
	switch {
	case err != nil && (whole || !errors.Is(err, recordstore.ErrUnreadable)):
		return err
	case err == nil && d.exists && d.record.Revision != over:
		return recordstore.ErrConflict
	}
	d.aside = append(d.aside, d.record)
	placeholder := record.Record{Revision: revision}
	d.onLoad, d.record, d.exists = nil, &placeholder, true
	return nil
}

func (l *memoryLease) Lost() error {
	l.store.disk.mu.Lock()
	defer l.store.disk.mu.Unlock()
	if l.store.disk.holder != l && l.lost == nil {
		return errors.New("lease was released")
	}
	return l.lost
}

func (l *memoryLease) Release() {
	l.store.disk.mu.Lock()
	defer l.store.disk.mu.Unlock()
	l.store.disk.free(l)
}

// Interface guards
var (
	_ recordstore.Store = (*memoryStore)(nil)
	_ recordstore.Lease = (*memoryLease)(nil)
)
