package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Phase returns what the grant awaits.
func (s *State) Phase() Phase { return s.phase }

// Refreshing reports whether a token request is prepared or made, or its answer
// written: what it brought is not published yet.
func (s *State) Refreshing() bool {
	return s.phase >= Connecting && s.phase <= Asking && s.plan.write != keep || s.plan != nil && s.plan.answer != nil && s.plan.settings.Rotating
}

// LeaseBusy reports whether another holder keeps the lease.
func (s *State) LeaseBusy() bool { return s.holdsLease != 0 }

// Awaits reports whether the answer to another holder's attempt is awaited.
func (s *State) Awaits() bool { return s.rarely().rival.Look != 0 }

// InLine reports whether the client waits for its turn to ask.
func (s *State) InLine() bool { return s.inLine }

// Known reports whether anything is known: a look has ended.
func (s *State) Known() bool { return s.known }

// Unsaved reports whether the newest refresh token is only in memory, although a
// write of it was tried.
func (s *State) Unsaved() bool {
	first := s.phase == Saving && s.plan.tries == 0 && (s.plan.answer != nil || s.plan.revoked)
	return s.unsaved && !first
}

// Trouble is why the client is not well.
func (s *State) Trouble() finding.Trouble { return s.trouble }

// Live is the access token to inject, which may have expired; nil if there is none.
func (s *State) Live() *Live { return s.live }

// Record is what is known to be durable, and what is owed.
func (s *State) Record() *record.Record { return s.record }

// Process is the name of the process in what it writes.
func (s *State) Process() string { return s.process }

// HoldsForAnother reports whether requests are to be held back because another replica replaces
// a token whose predecessor dies that moment.
func (s *State) HoldsForAnother() bool {
	r := s.rarely().rival
	return r.Fresh && r.Look != 0 && s.live != nil && s.settings != nil && s.settings.Drain
}

// HoldsRequests reports whether requests are to be held back for an attempt of this process.
func (s *State) HoldsRequests() bool {
	return s.plan != nil && s.plan.held && s.phase >= Holding && s.phase <= Joining
}

// Busy reports whether something is under way, or about to be, that may bring a
// token.
func (s *State) Busy() bool {
	return s.phase != Idle || s.inLine || s.called || s.putOff || s.forced.waits || s.rarely().rival.Look != 0
}

// Done reports whether nothing more is to be done for a client that is stopped.
func (s *State) Done() bool { return s.phase == Idle && !s.unsaved }

// Planned is how long it is until the next token request is due; ok is false if
// none is.
func (s *State) Planned(now when.Now) (wait time.Duration, ok bool) {
	wait, ok = s.schedule.Next(now)
	return wait, ok && s.settings != nil
}

// Looks is how long it is until a look finds out whether what is wrong was put right; ok is
// false if that takes a token request, or nothing is wrong.
func (s *State) Looks(now when.Now) (wait time.Duration, ok bool) {
	wait = time.Duration(max(0, s.schedule.NotBefore-now.Mono))
	return wait, s.trouble.Local && !s.schedule.Idle && s.settings != nil
}

// Hopeless reports whether waiting for a token until the deadline, which is
// monotonic, is of no use.
func (s *State) Hopeless(now when.Now, deadline int64) bool {
	if s.settings == nil {
		return false
	}
	if s.trouble.Blocking() && s.known && !s.trouble.Beside {
		return true
	}
	wait, ok := s.schedule.Next(now)
	return !s.Busy() && (!ok || now.Mono+int64(wait) > deadline)
}

// Forced reports whether a refresh of ours replaced that generation because an
// upstream had refused it.
func (s *State) Forced(generation uint64) bool { return s.forced.obtained == generation+1 }

// Demanded reports whether an upstream has refused that generation, so that a refresh of
// ours is to replace it.
func (s *State) Demanded(generation uint64) bool {
	return generation > 0 && s.forced.asked == generation
}

// Unconfirmed is the generation that was obtained because an upstream had refused
// the one before, and that none has accepted yet; 0 if there is none.
func (s *State) Unconfirmed() uint64 { return s.forced.unconfirmed }

// Overdue reports whether a look may be of use that no timer brings about: of a
// refresh that is due by either clock, or of a grant that somebody may have renewed.
func (s *State) Overdue(now when.Now) bool {
	return s.phase == Idle && (s.trouble.NeedsGrant() || s.schedule.Due(now) && !s.inLine)
}

// Wanted reports whether a request that finds no token brings about an attempt.
func (s *State) Wanted(now when.Now) bool {
	return s.settings != nil && !s.trouble.Blocking() && s.phase == Idle && !s.inLine && s.schedule.Due(now)
}

// Wake is how long it is until something is to be done that no event brings about;
// ok is false if there is nothing.
func (s *State) Wake(now when.Now) (wait time.Duration, ok bool) {
	if s.phase != Idle {
		return 0, false
	}
	r := s.rarely()
	save := time.Duration(max(0, r.saving.NotBefore-now.Mono))
	if s.settings == nil {
		return save, s.unsaved && !s.givenUp
	}
	wait, ok = s.schedule.Next(now)
	ok = ok && !s.inLine // then it is called
	if ok && s.trouble.Local {
		wait = time.Duration(max(0, s.schedule.NotBefore-now.Mono)) // only a look, unless a request is due
	}
	sooner := func(d time.Duration) {
		if !ok || d < wait {
			wait, ok = max(0, d), true
		}
	}
	if s.forced.waits {
		sooner(time.Duration(s.forced.look - now.Mono))
	}
	if d, ok := s.rivalWake(now); ok {
		sooner(d)
	}
	if r.doubt.Token != 0 {
		sooner(time.Duration(r.doubt.Until - now.Mono))
	}
	if try := r.trial.NotBefore - now.Mono; try > 0 {
		sooner(time.Duration(try))
	}
	if s.unsaved {
		// Nothing else happens until that is written, or the token is about to expire.
		if s.live != nil && !s.live.urgent().Reached(now) {
			wait, ok = s.live.urgent().Until(now), true
		}
		sooner(save)
	}
	if d, warns := s.untilWarning(now); warns {
		sooner(d)
	}
	if len(r.orders.Waiting) > 0 {
		sooner(time.Duration(r.orders.NotBefore - now.Mono))
	}
	return wait, ok
}
