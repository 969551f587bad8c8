package keeper

import (
	"context"
	"errors"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// Owner is a client whose a refresh token is, or was.
type Owner struct {
	Client string
	Place  string // of its record, for people
	Store  string // it is in, in the words of a command; "" if that is the client's
	Own    bool   // it is the client that asks: an answer consumed or refused it here

	// Service says that it is a service's of this machine, which goes on with the grant: nothing is
	// carried over from there.
	Service bool
}

// claim is the one rule for whether a refresh token that no answer has judged may be
// sent: not if it is, or was, another client's. It is asked directly before the
// request is written.
func (k *Keeper) claim(c step.Claim) (e step.Claimed) {
	f := record.FingerprintOf(c.RefreshToken)
	failpoint.At("before-claim")
	defer failpoint.At("after-claim")
	if c.Again {
		_, err := call(k, &k.stuck, func(ctx context.Context) (string, error) {
			return k.store.Claim(ctx, k.name, f, func(string) (bool, error) { return true, nil })
		})
		if err == nil {
			k.note(f, k.inputs.Binding.Grant, ledger.Free, false)
			return e
		}
		e.Fault, e.Facts = step.Away, &finding.Facts{Detail: err.Error()}
		return e
	}
	if !c.Rotating { // nothing is journaled
		if e.Facts, e.Fault = k.spent(f, nil); e.Fault != step.None {
			return e
		}
	}
	e.Facts, e.Fault = k.ownerOf(f, c.Imported, func(ctx context.Context, free frees) (string, error) {
		if c.Rotating {
			return k.store.Claim(ctx, k.name, f, free)
		}
		return k.claimed(ctx, f, free)
	})
	return e
}

// taken returns why a refresh token that was not sent still may not be, nil if it may.
func (k *Keeper) taken(f record.Fingerprint, stored *record.Record) (*finding.Facts, step.Fault) {
	if facts, fault := k.spent(f, stored); fault != step.None {
		return facts, fault
	}
	return k.ownerOf(f, false, func(ctx context.Context, free frees) (string, error) { return k.claimed(ctx, f, free) })
}

// frees reports whether a client lets go what it has claimed.
type frees func(owner string) (bool, error)

// claimed returns whose a refresh token is, this client's name if it may be that.
func (k *Keeper) claimed(ctx context.Context, f record.Fingerprint, free frees) (string, error) {
	owner, err := k.store.Claimed(ctx, f)
	if err != nil || owner == "" || owner == k.name {
		return k.name, err
	}
	if let, err := free(owner); err != nil || let {
		return k.name, err
	}
	return owner, nil
}

// spent reports a refresh token that this client's record has spent when it was another
// one than what was read, if anything, or is in memory: the ledger says so, or the client
// has claimed a token that the record does not know. A claim follows its journal.
func (k *Keeper) spent(f record.Fingerprint, stored *record.Record) (*finding.Facts, step.Fault) {
	known := k.remembered().Of(f)
	if stored != nil {
		known = max(known, stored.Of(f))
	}
	if known > record.Unjudged {
		return nil, step.None
	}
	missing := &finding.Facts{Kind: finding.KindMissing, Place: k.store.Describe(k.name)}
	switch owner, err := k.elsewhere(f, false); {
	case err != nil:
		return &finding.Facts{Detail: err.Error()}, step.Away
	case owner != nil && owner.Own:
		return missing, step.Taken
	case known == record.Unjudged || !k.obeyed().Rotating:
		return nil, step.None
	}
	owner, err := call(k, &k.stuck, func(ctx context.Context) (string, error) { return k.store.Claimed(ctx, f) })
	switch {
	case err != nil:
		return &finding.Facts{Detail: err.Error()}, step.Away
	case owner == k.name:
		return missing, step.Taken
	}
	return nil, step.None
}

// elsewhere returns whose a refresh token is outside of the store, nil if that is nobody.
func (k *Keeper) elsewhere(f record.Fingerprint, all bool) (*Owner, error) {
	ask, binding := k.obeyed().Elsewhere, k.inputs.Binding.Grant
	if ask == nil {
		return nil, nil
	}
	return call(k, &k.noting, func(context.Context) (*Owner, error) { return ask(f, binding, all), nil })
}

// remembered is the record in memory.
func (k *Keeper) remembered() *record.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Record()
}

// ownerOf finds out whose a refresh token is. Facts are nil if it is nobody's else.
func (k *Keeper) ownerOf(f record.Fingerprint, imported bool, ask func(context.Context, frees) (string, error)) (*finding.Facts, step.Fault) {
	binding := k.inputs.Binding.Grant
	switch owner, err := k.elsewhere(f, imported); {
	case err != nil:
		return &finding.Facts{Detail: err.Error()}, step.Away
	case owner != nil && !owner.Own:
		return k.ownedBy(*owner), step.Taken
	}
	name, err := call(k, &k.stuck, func(ctx context.Context) (string, error) {
		return ask(ctx, func(owner string) (bool, error) {
			rec, err := k.store.Load(ctx, owner)
			switch {
			case errors.Is(err, recordstore.ErrNotFound):
				return true, nil
			case errors.Is(err, recordstore.ErrUnreadable):
				return false, nil // nobody knows what became of it
			case err != nil:
				return false, err
			}
			return rec.Frees(f, binding), nil
		})
	})
	if err != nil {
		return &finding.Facts{Detail: err.Error()}, step.Away
	}
	if name == k.name {
		return nil, step.None
	}
	return k.ownedBy(Owner{Client: name, Place: k.store.Describe(name)}), step.Taken
}

// ownedBy are the facts about whose a refresh token is.
func (k *Keeper) ownedBy(o Owner) *finding.Facts {
	facts := &finding.Facts{Owner: o.Client, Place: o.Place, From: o.Store}
	declared := k.obeyed().Declared
	switch {
	case declared != nil && declared(o.Client):
		facts.Kind = "in use"
	case o.Service:
		facts.Kind = "service"
	case o.Store != "" && o.Client == k.name:
		facts.Kind = "store"
	case o.Store != "":
		facts.Kind = "name and store"
	}
	return facts
}

// Frees reports whether another client may present a refresh token, as far as this
// one's record says.
func (k *Keeper) Frees(f, binding record.Fingerprint) bool {
	return k.remembered().Frees(f, binding)
}

// list is called when nothing is under way: it never comes between an answer and its
// write. It notes what became of the refresh tokens that began a grant here, if the record
// is another one than the last time: a configuration may still name them.
func (k *Keeper) list() {
	k.mu.Lock()
	rec, last, rotating, owed := k.state.Record(), k.listed, k.told != nil && k.told.Rotating, k.state.Unsaved()
	if !owed {
		k.listed = rec
	}
	k.mu.Unlock()
	if rec == last || !rotating || owed {
		return
	}
	_, _ = call(k, &k.noting, func(context.Context) (struct{}, error) { // best effort
		k.noteAll(rec, last == nil)
		return struct{}{}, nil
	})
}

func (k *Keeper) noteAll(rec *record.Record, old bool) {
	for i := range rec.Lineages {
		id, binding := rec.Lineages[i].ID, rec.Lineages[i].Binding
		switch rec.Of(id) {
		case record.WasUsed, record.WasOther:
			k.note(id, binding, ledger.Consumed, old)
		case record.WasRefused:
			k.note(id, binding, ledger.Refused, old)
		case record.Living:
			k.note(id, binding, ledger.Free, true)
		default: // no answer says what became of it
		}
	}
}

func (k *Keeper) note(f, binding record.Fingerprint, said ledger.Said, old bool) {
	if spent := k.obeyed().Spent; spent != nil {
		spent(f, binding, said, old)
	}
}
