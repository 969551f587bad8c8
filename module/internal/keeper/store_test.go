package keeper

import (
	"context"
	"errors"
	"time"

	"lamplighter/module/internal/store"
)

// memoryStore is the disk as one process sees it.
type memoryStore struct {
	disk *disk
	proc *machine
}

func (s *memoryStore) Open(context.Context) error { return nil }

func (s *memoryStore) Describe(name string) string { return "/data/" + name + ".json" }

func (s *memoryStore) Load(ctx context.Context, _ string) (store.Record, error) {
	if s.proc.dead.Load() {
		return store.Record{}, errDead
	}
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.disk.unreadable(); err != nil {
		return store.Record{}, err
	}
	if !s.disk.exists {
		return store.Record{}, store.ErrNotFound
	}
	return clone(s.disk.record), nil
}

func (s *memoryStore) Save(ctx context.Context, _ string, rec store.Record, ifRevision uint64) error {
	d, point := s.disk, "save"
	if rec.Attempt != nil {
		point = "journal"
	}
	d.at(s.proc, "before-"+point)
	if s.proc.dead.Load() {
		return errDead
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

// memoryLease is the sole right to spend the refresh token on a disk.
type memoryLease struct {
	store *memoryStore
	lost  error
}

func (s *memoryStore) Lease(ctx context.Context, _ string) (store.Lease, error) {
	for {
		if s.proc.dead.Load() {
			return nil, errDead
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.disk.mu.Lock()
		if s.disk.leaseErr != nil {
			defer s.disk.mu.Unlock()
			return nil, s.disk.leaseErr
		}
		if s.disk.holder == nil {
			lease := &memoryLease{store: s}
			s.disk.holder = lease
			s.disk.mu.Unlock()
			return lease, nil
		}
		freed := s.disk.freed
		s.disk.mu.Unlock()
		select {
		case <-freed:
			pass(ctx, s.proc.turn())
		case <-ctx.Done():
		}
	}
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
	_ store.Store = (*memoryStore)(nil)
	_ store.Lease = (*memoryLease)(nil)
)
