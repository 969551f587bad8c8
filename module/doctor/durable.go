package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/records"
	shared "lamplighter/module/store"
)

// prove opens a store, once for all clients whose records are there.
func (e *examination) prove(use *records.Use) error {
	e.mu.Lock()
	proven := e.stores[use]
	if proven == nil {
		proven = sync.OnceValue(func() error {
			ctx, cancel := context.WithTimeout(e.ctx, patience)
			defer cancel()
			if e.Running {
				return use.Prove(ctx)
			}
			use.Open(ctx)
			e.mu.Lock()
			e.opened = append(e.opened, use)
			e.mu.Unlock()
			return use.Fault()
		})
		e.stores[use] = proven
	}
	e.mu.Unlock()
	return proven()
}

// durable looks at the store of the client's record, and at the record. seeded says that
// the configuration has a refresh token.
func (e *examination) durable(seeded bool) {
	if e.settings.PerCaller() {
		e.skip("store", "each caller has a token of its own, which is kept in memory")
		return
	}
	r := e.client.Record()
	if e.Stranger && r.Use.Kind() == "" {
		e.strange("store", "records are kept by who is to serve, with its rights, and in its data directory if none is named")
		e.skip("record", "see store")
		return
	}
	err := e.prove(r.Use)
	if e.forbidden(err) {
		e.strange("store", err.Error())
		e.skip("record", "see store")
		return
	}
	if err == nil {
		err = room(r.Use.Directory())
	}
	if err != nil {
		verdict, why := adminapi.VerdictFailed, storeCause(err, r.Use.Kind()).With("client", e.name, "place", r.Describe(), "kind", r.Use.Kind())
		if !e.settings.Rotating() { // which goes on without
			verdict, why = adminapi.VerdictWarning, cause.Of("store_unavailable", "cache")
		}
		e.add("store", verdict, why.Name+": "+err.Error(), why.Remedy)
		e.skip("record", "the store cannot be used")
		return
	}
	switch kind := r.Use.Network(); {
	case kind != "":
		e.add("store", adminapi.VerdictWarning, fmt.Sprintf("%s is on a network file system (%s), whose locks and syncs may not hold what they promise", r.Use.Directory(), kind),
			"keep it on a local disk or a volume of its own, or use a store that replicas share")
	case r.Use.Above() != nil:
		e.add("store", adminapi.VerdictWarning, fmt.Sprintf("others could put an older copy into the place of %s, whose refresh tokens are spent: %v", r.Use.Directory(), r.Use.Above()), records.AboveRemedy)
	case r.Use.Directory() != "":
		e.ok("store", r.Use.Directory()+" can be written, synced and locked")
	default:
		e.ok("store", "the place of "+r.Describe()+" can be used, and keeps what it acknowledges as its settings promise")
	}
	e.record(r, seeded)
}

// ledger looks whether spent refresh tokens are remembered beside the records.
func (e *examination) ledger() {
	if e.Stranger {
		e.strange("ledger", "it is in the data directory of who is to serve")
		return
	}
	path, err := records.Ledger()
	if err == nil {
		e.ok("ledger", path+" can be written")
		return
	}
	e.add("ledger", adminapi.VerdictWarning, fmt.Sprintf("spent refresh tokens are not remembered in %s, so that a change of a client's store or name may present one: %v", path, err),
		"have "+filepath.Dir(path)+" and all in it belong to the user that the instance runs as (chown -R), on a disk that has room")
}

// storeCause is the row of the table for what is wrong with a store, whose kind is "" if it
// is a directory.
func storeCause(err error, kind string) cause.Cause {
	for _, known := range []struct {
		err  error
		name string
	}{
		{shared.ErrUnsafe, "store_unsafe"}, {recordstore.ErrNoLocks, "store_unsafe"}, {shared.ErrRefused, "store_refused"}, {shared.ErrFull, "store_full"},
	} {
		if errors.Is(err, known.err) && kind != "" {
			return cause.Of(known.name, "shared")
		}
		if errors.Is(err, known.err) {
			return cause.Of(known.name)
		}
	}
	if kind != "" {
		return cause.Of("store_unavailable", "shared")
	}
	return cause.Of("store_unavailable")
}

// record looks at what is kept of the grant.
func (e *examination) record(r *records.Record, seeded bool) {
	const step = "record"
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	rec, err := r.Load(ctx)
	failed := func(name, which, detail string) {
		why := cause.Of(name, which).With("client", e.name, "place", r.Describe(), "kind", r.Use.Kind())
		if detail == "" {
			detail = why.Sentence
		}
		e.add(step, adminapi.VerdictFailed, name+": "+detail, e.remedy(why))
	}
	switch {
	case errors.Is(err, recordstore.ErrNotFound) && !e.settings.Rotating():
		e.ok(step, "there is none yet at "+r.Describe()+", and none is needed")
	case errors.Is(err, recordstore.ErrNotFound) && seeded:
		e.ok(step, "there is none yet at "+r.Describe()+": the refresh token of the configuration is presented first")
	case errors.Is(err, recordstore.ErrNotFound):
		failed("no_refresh_token", "", "there is no record at "+r.Describe()+", and the configuration has no refresh token")
	case errors.Is(err, recordstore.ErrNewer):
		failed("record_unreadable", "newer", err.Error())
	case errors.Is(err, recordstore.ErrExposed):
		failed("record_unreadable", "exposed", err.Error())
	case errors.Is(err, recordstore.ErrSealed):
		failed("record_unreadable", "sealed", err.Error())
	case errors.Is(err, recordstore.ErrUnreadable) && r.Use.Kind() != "":
		failed("record_unreadable", "shared", err.Error())
	case errors.Is(err, recordstore.ErrUnreadable):
		failed("record_unreadable", "", err.Error())
	case err != nil:
		failed("store_unavailable", storeCause(err, r.Use.Kind()).Case, err.Error())
	case rec.Moved != nil:
		why := cause.Of("record_moved").With("client", e.name, "owner", rec.Moved.Client, "place", rec.Moved.Place)
		e.add(step, adminapi.VerdictFailed, why.Name+": "+why.Sentence, e.remedy(why))
	default:
		e.grant(r, rec, seeded)
	}
}

// remedy is that of a cause, as the client can follow it.
func (e *examination) remedy(why cause.Cause) string {
	remedy := cause.SupplyOf(e.settings.RefreshToken).With(why.Remedy)
	if !e.settings.LogsIn() {
		remedy = cause.WithoutLogin(e.name, remedy)
	}
	return remedy
}

// grant says whether the grant of a record lives.
func (e *examination) grant(r *records.Record, rec *record.Record, seeded bool) {
	const step = "record"
	said := fmt.Sprintf("%s can be read: generation %d", r.Describe(), rec.Generation)
	req, err := e.client.Server().Resolve(nil)
	if err != nil || !e.settings.Rotating() {
		e.ok(step, said)
		return
	}
	binding := e.client.Server().Binding(req).Grant
	switch lost := rec.Lost(binding); {
	case rec.Lives(binding):
		e.ok(step, said+", and its grant lives")
	case lost != nil && lost.Loss != nil:
		why := cause.Of(lost.Loss.Cause).With("client", e.name)
		e.add(step, adminapi.VerdictFailed, lost.Loss.Cause+": "+why.Sentence+": "+lost.Loss.Detail, e.remedy(why))
	case rec.Elsewhere(binding) != nil:
		why := cause.Of("configuration_changed").With("client", e.name)
		e.add(step, adminapi.VerdictFailed, why.Name+": "+why.Sentence, e.remedy(why))
	case len(rec.Lineages) == 0 && !seeded:
		why := cause.Of("no_refresh_token", "kept").With("client", e.name, "place", r.Describe())
		e.add(step, adminapi.VerdictFailed, why.Name+": "+why.Sentence, e.remedy(why))
	default:
		e.ok(step, said+", and no refresh token in it was judged yet")
	}
}
