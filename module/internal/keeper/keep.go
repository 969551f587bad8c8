package keeper

import (
	"context"
	"errors"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// keep writes the next generation and then publishes it.
func (k *Keeper) keep(f *flight, in *Inputs, p plan, a tokenendpoint.Answer, sent instant, rotated bool) {
	k.mu.Lock()
	rec := k.record
	k.mu.Unlock()
	sent = sent.seenFrom(k.clock.now())

	granted := a.Outcome == tokenendpoint.Granted
	useless := f.settings.Drain || rec.Binding.Request != in.Binding.Request // the old access token
	same := granted && !rotated && p.revived == nil && rec.Token != nil && rec.Token.AccessToken == a.AccessToken
	rec.Client = k.name
	rec.Binding = in.Binding
	rec.Attempt, rec.Lost = nil, nil
	if !p.resting {
		rec.Imported = ""
	}
	if !same {
		rec.Generation++
	}
	if p.seed {
		rec.AddSeed(store.FingerprintOf(p.present))
		if p.beside {
			rec.AddSpent(store.FingerprintOf(rec.RefreshToken))
		}
	}
	if f.settings.Rotating {
		rec.RefreshToken = p.present
	}
	if rotated {
		rec.AddSpent(store.FingerprintOf(p.present))
		rec.RefreshToken = a.RefreshToken
	}
	if a.RefreshTokenExpiresIn > 0 {
		rec.RefreshTokenExpiresAt = sent.wall.Add(a.RefreshTokenExpiresIn).UTC()
	}
	switch {
	case granted:
		rec.Token = &store.Token{
			AccessToken: a.AccessToken,
			IDToken:     a.IDToken,
			TokenType:   a.TokenType,
			Scope:       a.Scope,
			ObtainedAt:  sent.wall.UTC(),
			ExpiresAt:   sent.wall.Add(a.ExpiresIn).UTC(),
			Unusable:    a.Unusable,
			Response:    a.Response,
		}
	case useless:
		rec.Token = nil
	}
	err := k.write(&rec)
	k.commit(f, rec, err)
	failpoint.At("before-publish")

	mono, wall := k.clock.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	// Counted from when it was asked for, on both clocks.
	expires := sent.add(a.ExpiresIn)
	if !granted {
		expires = k.current.Load().expiry(expires)
	}
	before := k.held
	if k.held = tokenOf(&k.record, expires); k.held != nil {
		k.held.Certificate = a.Certificate
		if before != nil && before.AccessToken == k.held.AccessToken {
			k.held.Certificate = before.Certificate // it was not issued just now
		}
	}
	k.publish(k.held)
	if !granted {
		k.schedule.refresh = instant{} // an access token is still to be had
		return
	}
	k.schedule.succeed(sent, a.ExpiresIn, &f.settings, mono)
	k.trouble, k.accepted = Trouble{}, in.Credentials
	k.forced.renewed(k.record.Generation, same, mono, f.settings.MinRefreshInterval, func() *pauses { return &k.setback().forced })
	f.note(k.tokenEvent(TokenObtained))
	if rotated {
		f.note(k.tokenEvent(RefreshTokenRotated))
	}
	k.complain(f, a, rotated, wall)
}

// complain reports what is odd about an answer that was kept. Called with k.mu
// held.
func (k *Keeper) complain(f *flight, a tokenendpoint.Answer, rotated bool, wall time.Time) {
	if f.settings.RequireRotation && !rotated {
		e := k.tokenEvent(RotationMissing)
		e.Cause = CauseRotationMissing
		e.Detail = "the answer holds no new refresh token although rotation is required; the old one is kept"
		e.Remedy = cause.Of(CauseRotationMissing).Remedy
		f.note(e)
	}
	if a.ExpiresDefaulted != "" {
		e := k.tokenEvent(LifetimeMissing)
		e.Detail = a.ExpiresDefaulted
		e.Remedy = "set default_expires_in to the lifetime that the server grants"
		f.note(e)
	}
	for _, remark := range a.Remarks {
		e := k.tokenEvent(AnswerRemarked)
		e.Detail, e.Remedy = remark, "correct the paths in the client's settings, or have the server answer with its tokens alone"
		f.note(e)
	}
	if a.Unusable != "" {
		k.trouble = Trouble{
			State: StateMisconfigured, Cause: CauseUnusable, Detail: "the access token cannot be injected: " + a.Unusable,
			Remedy: cause.Of(CauseUnusable).With().Remedy, At: wall,
		}
		f.note(k.troubleEvent(Troubled))
	}
}

// expiry returns when the token expires, or another moment if there is none.
func (t *Token) expiry(other instant) instant {
	if t == nil {
		return other
	}
	return t.expires
}

// commit makes rec the keeper's record. If the store refused it, it stays in
// memory and is written later.
func (k *Keeper) commit(f *flight, rec store.Record, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record = rec
	if err == nil {
		if k.unsaved || k.cacheFailed {
			f.note(k.storeEvent(StoreRecovered, nil, ""))
		}
		k.unsaved, k.cacheFailed = false, false
		return
	}
	if !f.settings.Rotating {
		// Only a cache: the token is used, and the next answer tries again.
		if !k.cacheFailed {
			f.note(k.storeEvent(StoreFailed, err, cause.Of(CauseStore, "cache").Remedy))
		}
		k.cacheFailed = true
		return
	}
	k.unsaved = true
	saving := &k.setback().saving
	saving.retryNow()
	saving.fail(time.Now(), retryMin, retryMax, 0)
	f.note(k.storeEvent(StoreFailed, err, cause.Of(CauseStore, "unsaved").Remedy))
}

func (k *Keeper) storeEvent(kind EventKind, err error, remedy string) Event {
	e := k.tokenEvent(kind)
	e.Cause, e.Remedy = CauseStore, remedy
	if err != nil {
		e.Detail = err.Error()
	}
	return e
}

// writeWait is how long a write may wait for the lock of somebody who should not
// have it: then it has failed, like any other.
const writeWait = 5 * time.Second

// writing is the context of writes that nothing cancels.
func writing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), writeWait)
}

// write saves a record that is newer than whatever the store holds.
func (k *Keeper) write(rec *store.Record) error {
	ctx, cancel := writing()
	defer cancel()
	before := rec.Revision
	err := k.store.Save(ctx, k.name, *rec, before)
	if errors.Is(err, store.ErrConflict) {
		// Somebody restored or edited the file by hand. What we hold comes from
		// the newest answer of the server, so it wins.
		stored, loadErr := k.store.Load(ctx, k.name)
		if loadErr != nil && !errors.Is(loadErr, store.ErrNotFound) {
			return err
		}
		before = stored.Revision
		rec.Generation = max(rec.Generation, stored.Generation+1)
		err = k.store.Save(ctx, k.name, *rec, before)
	}
	if err == nil {
		rec.Revision = before + 1
	}
	return err
}

// saveUnsaved writes an answer that the store refused before. It reports
// whether the round may go on: not before it is written, unless the token is
// about to expire.
func (k *Keeper) saveUnsaved(f *flight) bool {
	k.mu.Lock()
	rec, unsaved, early := k.record, k.unsaved, time.Now().Before(k.setbacksSoFar().saving.notBefore)
	k.mu.Unlock()
	if !unsaved {
		return true
	}
	saved := !early && k.write(&rec) == nil
	mono, wall := k.clock.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if saved {
		k.record, k.unsaved = rec, false
		if k.lease != nil {
			k.lease.Release()
			k.lease = nil
		}
		f.note(k.storeEvent(StoreRecovered, nil, ""))
		return true
	}
	if !early {
		k.setback().saving.fail(mono, retryMin, retryMax, 0)
	}
	t := k.current.Load()
	return t == nil || t.urgent().reached(mono, wall)
}

// Bounds of the attempts to write an unsaved record before the keeper stops.
const (
	lastChance      = 5 * time.Second
	lastChancePause = 500 * time.Millisecond
)

// saveLastChance tries to write what is only in memory before the keeper stops for
// good, for a short time: the disk may be writable again, as it will not be for us.
func (k *Keeper) saveLastChance(tell func(Event)) {
	k.mu.Lock()
	if len(k.settings) > 0 { // started again meanwhile
		k.mu.Unlock()
		return
	}
	rec, unsaved, lease := k.record, k.unsaved, k.lease
	k.lease = nil
	k.mu.Unlock()
	if unsaved {
		err := k.write(&rec)
		for began := time.Now(); err != nil && time.Since(began) < lastChance; err = k.write(&rec) {
			time.Sleep(lastChancePause)
			if k.restarted() {
				break // it writes its own
			}
		}
		k.mu.Lock()
		if err == nil && len(k.settings) == 0 {
			k.record, k.unsaved = rec, false
		}
		e := k.storeEvent(StoreFailed, err, cause.Of(CauseStore, "stopped").Remedy)
		k.mu.Unlock()
		if err != nil && tell != nil && !k.restarted() {
			k.history.Add(e)
			tell(e)
		}
	}
	if lease != nil {
		lease.Release()
	}
}

// restarted reports whether a configuration has started again.
func (k *Keeper) restarted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.settings) > 0
}
