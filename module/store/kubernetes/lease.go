package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"lamplighter/module/store"
)

// microTime is the format of a Lease's times.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// leaseObject is a Lease of coordination.k8s.io/v1.
type leaseObject struct {
	APIVersion string    `json:"apiVersion,omitempty"`
	Kind       string    `json:"kind,omitempty"`
	Metadata   meta      `json:"metadata"`
	Spec       leaseSpec `json:"spec"`
}

// leaseSpec is what a Lease says. nil is not written; a patch cannot take a member away
// so, hence the pointers to empty values. Its times are for people: nobody judges by them.
type leaseSpec struct {
	Holder      *string `json:"holderIdentity,omitempty"`
	Seconds     *int    `json:"leaseDurationSeconds,omitempty"`
	Acquired    *string `json:"acquireTime,omitempty"`
	Renewed     *string `json:"renewTime,omitempty"`
	Transitions *int    `json:"leaseTransitions,omitempty"`
}

func (l *leaseObject) holder() string {
	if l.Spec.Holder == nil {
		return ""
	}
	return *l.Spec.Holder
}

// lease is one that this engine holds, or held.
type lease struct {
	e            *engine
	name, holder string

	mu      sync.Mutex
	version string // of the Lease as we know it
	given   bool   // it was given back
}

// Acquire tries once for a lease.
func (e *engine) Acquire(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
	e.know(name)
	l, err := e.readLease(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound) && !e.conf.named:
		l, err = e.postLease(ctx, name, holder)
	case errors.Is(err, store.ErrNotFound):
		err = e.unmade(e.conf.empty("Lease", e.conf.object(name)))
	case err != nil:
	case l.holder() != "" && l.holder() != holder && tagOf(&l.Metadata) != over:
		return nil, store.Held{Holder: l.holder(), Tag: tagOf(&l.Metadata)}, nil
	default:
		l, err = e.patchLease(ctx, name, l.Metadata.ResourceVersion, e.taking(l, holder))
	}
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, store.Held{}, nil // somebody was faster
	case err != nil:
		return nil, store.Held{}, e.failed(err)
	}
	return &lease{e: e, name: name, holder: holder, version: l.Metadata.ResourceVersion}, store.Held{}, nil
}

// taking is the content of a Lease that is taken.
func (e *engine) taking(l *leaseObject, holder string) leaseSpec {
	now, seconds, transitions := time.Now().UTC().Format(microTime), e.seconds(), 0
	if l.Spec.Transitions != nil {
		transitions = *l.Spec.Transitions + 1
	}
	return leaseSpec{Holder: &holder, Seconds: &seconds, Acquired: &now, Renewed: &now, Transitions: &transitions}
}

// seconds is the length of a lease, for people.
func (e *engine) seconds() int { return max(1, int((e.conf.lease+time.Second-1)/time.Second)) }

// Renew keeps the lease. An own renewal whose answer was lost is no other holder's.
func (l *lease) Renew(ctx context.Context) error {
	now, seconds := time.Now().UTC().Format(microTime), l.e.seconds()
	return l.change(ctx, leaseSpec{Seconds: &seconds, Renewed: &now})
}

// Release gives the lease back.
func (l *lease) Release(ctx context.Context) error {
	nobody, now := "", time.Now().UTC().Format(microTime)
	err := l.change(ctx, leaseSpec{Holder: &nobody, Renewed: &now})
	if err == nil || errors.Is(err, store.ErrConflict) { // nobody's, or somebody else's
		l.mu.Lock()
		defer l.mu.Unlock()
		l.given = true
		return nil
	}
	return err
}

// changeTries bounds how often somebody may write a Lease, say a label of it, between our
// read and our write.
const changeTries = 3

// change writes the Lease, as long as its holder holds it.
func (l *lease) change(ctx context.Context, spec leaseSpec) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given {
		return store.ErrConflict
	}
	for range changeTries {
		changed, err := l.e.patchLease(ctx, l.name, l.version, spec)
		if err == nil {
			l.version = changed.Metadata.ResourceVersion
			return nil
		}
		if err = gone(err); !errors.Is(err, store.ErrConflict) {
			return l.e.failed(err)
		}
		now, err := l.e.readLease(ctx, l.name)
		if err = gone(err); err != nil {
			return l.e.failed(err)
		}
		if now.holder() != l.holder {
			return store.ErrConflict
		}
		l.version = now.Metadata.ResourceVersion
	}
	return fmt.Errorf("%w: its Lease is written by others all the time", store.ErrUnavailable)
}

func (e *engine) readLease(ctx context.Context, name string) (*leaseObject, error) {
	return e.leaseCall(ctx, &call{method: http.MethodGet, object: e.conf.object(name)})
}

// patchLease writes a Lease of that version.
func (e *engine) patchLease(ctx context.Context, name, version string, spec leaseSpec) (*leaseObject, error) {
	marks := e.marks(kindLease, name)
	marks.Name, marks.ResourceVersion = "", version
	return e.leaseCall(ctx, &call{
		method: http.MethodPatch, object: e.conf.object(name), typ: mergePatch, query: asManager,
		body: &leaseObject{Metadata: marks, Spec: spec},
	})
}

// postLease makes a Lease that the holder has.
func (e *engine) postLease(ctx context.Context, name, holder string) (*leaseObject, error) {
	return e.leaseCall(ctx, &call{method: http.MethodPost, query: asManager, body: &leaseObject{
		APIVersion: "coordination.k8s.io/v1", Kind: "Lease",
		Metadata: e.marks(kindLease, name), Spec: e.taking(&leaseObject{}, holder),
	}})
}

func (e *engine) leaseCall(ctx context.Context, c *call) (*leaseObject, error) {
	c.of = ofLeases
	l := new(leaseObject)
	if _, err := e.api.do(ctx, c, l); err != nil {
		return nil, err
	}
	return l, nil
}
