package keeper

import (
	"lamplighter/module/internal/store"
)

// plan is what a round decided to do.
type plan struct {
	ask     bool
	present string // the refresh token to present, "" for grants without

	// seed says that present is a seed that no answer has judged yet.
	seed bool

	// beside says that the grant in the record lives, and stays if the seed is
	// refused.
	beside bool

	// resting says that there is such a seed, and that it is not tried now.
	resting bool

	// imported says that an operator supplied the seed by hand.
	imported bool

	// revived is how the grant was lost that is presented once more because an
	// operator wants that: once, so the record says lost until an answer tells
	// otherwise. It is nil for all others.
	revived *store.Loss
}

// decide plans a round from the record and the configuration. Where nothing may
// be asked it says why; where nothing is due it leaves everything as it is.
func (k *Keeper) decide(f *flight, in *Inputs) plan {
	mono, wall := k.clock.now()
	k.mu.Lock()
	rec := &k.record
	trial := k.setbacksSoFar().trial
	rests := func(fp store.Fingerprint) bool { return trial.rests(fp, f.order, mono) }
	p, trouble := choose(rec, in, f.order, f.settings.Rotating, rests, k.store.Describe(k.name))
	if trouble.State != "" {
		k.mu.Unlock()
		k.blocked(f, trouble)
		return plan{}
	}
	defer k.mu.Unlock()

	k.schedule.pressing = p.seed ||
		rec.Attempt != nil && !p.resting ||
		rec.Binding.Request != in.Binding.Request ||
		(!f.settings.Rotating && rec.Binding.Grant != in.Binding.Grant)
	k.schedule.idle = false
	if trial.token != "" && !p.seed && !p.resting {
		k.setback().trial.reset("")
		if k.trouble.beside {
			k.trouble = Trouble{}
		}
	}
	if k.trouble.local || k.trouble.State == StateBackoff && !p.resting && !k.schedule.wanted(mono, wall) {
		k.trouble = Trouble{} // mended, or nothing is left to be repeated
		k.schedule.retryNow()
	}
	p.ask = k.schedule.due(mono, wall)
	if f.order != nil && !f.order.ends && !k.heed(f.order, &p, f.settings.Rotating, mono) {
		return plan{}
	}
	return p
}

// choose picks the refresh token to present, or says why there is none.
func choose(rec *store.Record, in *Inputs, o *order, rotating bool, rests func(store.Fingerprint) bool, place string) (plan, Trouble) {
	seed := store.FingerprintOf(in.Seed)
	if !rotating {
		// The seed, if the grant has one, is presented each time.
		if rec.Lost != nil && rec.Lost.RefreshToken == seed && (o == nil || !o.revive) {
			return plan{}, lostTrouble(rec.Lost)
		}
		return plan{present: in.Seed}, Trouble{}
	}

	lives := rec.RefreshToken != "" && rec.Lost == nil
	imported := rec.Imported
	if o != nil && o.token != "" {
		imported = o.token
	}
	resting := false
	if fp := store.FingerprintOf(imported); fp != "" && imported != rec.RefreshToken && !rec.KnowsSeed(fp) {
		if resting = lives && rests(fp); !resting {
			return plan{present: imported, seed: true, beside: lives, imported: true}, Trouble{}
		}
	}
	if seed != "" && !rec.KnowsSeed(seed) && in.Seed != rec.RefreshToken && !resting {
		if resting = lives && rests(seed); !resting {
			return plan{present: in.Seed, seed: true, beside: lives}, Trouble{}
		}
	}
	switch {
	case rec.Lost != nil && (o == nil || !o.revive):
		return plan{}, lostTrouble(rec.Lost)
	case rec.RefreshToken == "":
		return plan{}, noGrantTrouble(place)
	case rec.Generation > 0 && rec.Binding.Grant != in.Binding.Grant:
		return plan{}, reboundTrouble(rec, place)
	}
	return plan{present: rec.RefreshToken, seed: rec.Generation == 0, revived: rec.Lost, resting: resting}, Trouble{}
}
