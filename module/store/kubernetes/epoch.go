package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"lamplighter/module/store"
)

// epoch is what tells that acknowledged writes may be gone. Versions of a cluster only
// ever grow; when an answer of now has a lower one than an earlier answer had, etcd was
// restored. Whoever sees that writes a new epoch to the store's own Secret, once, and
// all replicas read it there. A restored backup whose versions were raised over those
// that were lost (etcdutl's --bump-revision) is not seen so.
type epoch struct {
	mu     sync.Mutex
	value  string
	number uint64 // the highest version of an answer
	fell   bool   // a version went down, and that is not written yet
}

// Epoch returns the epoch.
func (e *epoch) Epoch() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.value
}

// newest is the highest version so far, to be asked before a call.
func (e *epoch) newest() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.number
}

// saw takes note of the version that the whole store had when it answered a call: that of
// a list, or of what was just written. before is what newest said before that call.
func (e *epoch) saw(before uint64, version string) {
	number, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return // it is opaque to clients before Kubernetes 1.35, though a number everywhere
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if number < before {
		e.number, e.fell = number, true
		return
	}
	e.number = max(e.number, number)
}

// heard takes over the epoch that the store's own Secret has.
func (e *epoch) heard(s *secret) {
	if value := s.Metadata.Annotations[epochKey]; value != "" {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.value != "" && e.value != value {
			e.fell = false // another replica wrote it
		}
		e.value = value
	}
}

// owes reports whether a new epoch is to be written.
func (e *epoch) owes() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fell
}

// settle reads the epoch, makes one where there is none, and writes a new one if
// versions went down and nobody did so yet.
func (e *engine) settle(ctx context.Context) error {
	s, _, err := e.read(ctx, e.conf.own(), metadata)
	if errors.Is(err, store.ErrNotFound) && !e.conf.named {
		marks := e.ownMarks(newID())
		marks.Name = e.conf.own()
		if _, err = e.post(ctx, &secret{Metadata: marks}); err == nil || errors.Is(err, store.ErrConflict) {
			s, _, err = e.read(ctx, e.conf.own(), metadata)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return e.unmade(e.conf.empty("Secret", e.conf.own()))
	}
	if err != nil {
		return err
	}
	e.heard(s)
	if s.Metadata.Annotations[epochKey] != "" && !e.owes() {
		return nil
	}
	marks := e.ownMarks(newID())
	marks.ResourceVersion = s.Metadata.ResourceVersion
	_, err = e.write(ctx, &call{method: http.MethodPatch, object: e.conf.own(), typ: mergePatch, body: &secret{Metadata: marks}})
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknown) {
		return err
	}
	s, _, err = e.read(ctx, e.conf.own(), metadata) // ours, or that of who was first
	if err == nil {
		e.heard(s)
	}
	return err
}

func (e *engine) ownMarks(value string) meta {
	return meta{Labels: map[string]string{kindKey: kindOwn}, Annotations: map[string]string{epochKey: value}}
}
