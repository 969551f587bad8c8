package grant

import (
	"slices"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

var testBinding = record.Binding{Grant: 1, Request: 2}

// started returns a client that obeys settings, and has that record.
func started(set step.Settings, r *record.Record) State {
	set.Timeout, set.RefreshWindowRatio = time.Minute, 0.5
	s := New("process", 1)
	s.settings, s.record, s.loaded, s.binding = &set, r, true, testBinding
	return s
}

// after returns what events make of a state, and all that was to be done.
func after(s State, events ...step.Event) (_ State, all []step.Effect) {
	for _, e := range events {
		next, effects := Next(s, e, when.Now{Mono: 1, Wall: epoch})
		s, all = next, append(all, effects...)
	}
	return s, all
}

// Another holder judged what an order was about to present: the order was answered as
// if the client did not run.
func TestAnOrderGoesOnWithWhatAnotherHolderLeft(t *testing.T) {
	seed := record.Presented{RefreshToken: "seed", Candidate: true, Binding: testBinding}
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	in := step.Inputs{Seed: "seed", Binding: testBinding}
	s, effects := after(started(step.Settings{Rotating: true}, lives), step.Ordered{Order: step.Order{ID: 1}}, step.Looked{Inputs: in, Stored: lives}, step.Connected{}, step.Leased{},
		step.Looked{Stored: lives.Refuse(2, seed, false, nil)})
	for _, e := range effects {
		if r, ok := e.(step.Reply); ok {
			t.Errorf("answered %+v", r)
		}
	}
	if _, effects = after(s, step.Looked{Inputs: in, Stored: s.record}); effects[len(effects)-1] != (step.Connect{RefreshToken: "current"}) {
		t.Errorf("it goes on with %+v", effects)
	}
}

// A fixed refresh token that was accepted when an operator had it presented once more
// was taken for refused with the next look.
func TestAFixedRefreshTokenThatIsAcceptedOnceMoreIsPresentedAgain(t *testing.T) {
	in := step.Inputs{Seed: "seed", Binding: testBinding}
	refused := step.Answer{Outcome: step.RefusedGrant, Status: 400}
	granted := step.Answer{Outcome: step.Granted, Status: 200, ExpiresIn: time.Hour, Access: record.AccessToken{AccessToken: "access"}}
	ask := func(s State, a step.Answer) State {
		s, _ = after(s, step.Called{}, step.Looked{Inputs: in, Store: step.Missing}, step.Connected{}, step.Claimed{}, step.Drained{}, step.Answered{Answer: a}, step.Saved{})
		return s
	}
	s, _ := after(started(step.Settings{}, new(record.Record)), step.Poked{}, step.Looked{Inputs: in, Store: step.Missing})
	if s = ask(s, refused); s.trouble.Condition != finding.Lost {
		t.Fatalf("got %+v", s.trouble)
	}
	s, _ = after(s, step.Ordered{Order: step.Order{ID: 1}}, step.Looked{Inputs: in, Stored: s.record}, step.Connected{}, step.Claimed{}, step.Drained{}, step.Answered{Answer: granted}, step.Saved{})
	if s.live == nil {
		t.Fatalf("got %+v", s.trouble)
	}
	if s.rare != nil {
		t.Errorf("of the order is left: %+v", s.rare)
	}
	if s, _ = after(s, step.Poked{}, step.Looked{Inputs: in, Stored: s.record}); s.trouble.Condition != finding.Well {
		t.Errorf("after a look: %+v", s.trouble)
	}
}

// A fixed refresh token that the wrong server refused was never shown to the right one.
func TestAFixedRefreshTokenThatTheWrongServerRefusedIsPresentedToTheRightOne(t *testing.T) {
	wrong := record.Presented{RefreshToken: "seed", Binding: record.Binding{Grant: 9, Request: 2}}
	refused := new(record.Record).Refuse(1, wrong, true, &record.Loss{Cause: finding.CauseRefused})
	s, _ := after(started(step.Settings{}, refused), step.Poked{}, step.Looked{Inputs: step.Inputs{Seed: "seed", Binding: testBinding}, Stored: refused})
	if s.trouble.Condition != finding.Well || !s.inLine {
		t.Errorf("got %+v", s.trouble)
	}
}

// … and when that refuses it too, it is shown to neither again.
func TestAFixedRefreshTokenThatBothServersRefusedIsPresentedToNeither(t *testing.T) {
	wrong := record.Presented{RefreshToken: "seed", Binding: record.Binding{Grant: 9, Request: 2}}
	refused := new(record.Record).Refuse(1, wrong, true, &record.Loss{Cause: finding.CauseRefused})
	in := step.Inputs{Seed: "seed", Binding: testBinding}
	s, _ := after(started(step.Settings{}, refused), step.Poked{}, step.Looked{Inputs: in, Stored: refused}, step.Called{}, step.Looked{Inputs: in, Stored: refused},
		step.Connected{}, step.Claimed{}, step.Drained{}, step.Answered{Answer: step.Answer{Outcome: step.RefusedGrant, Status: 400}}, step.Saved{})
	s, _ = after(s, step.Poked{}, step.Looked{Inputs: in, Stored: s.record})
	if s.trouble.Condition != finding.Lost || s.inLine {
		t.Errorf("got %+v", s.trouble)
	}
}

// A record was damaged on a disk that cannot be written: the grant in memory was
// never presented again, and requests failed although nothing was to be lost.
func TestADamagedRecordThatCannotBeMendedDoesNotStopTheGrant(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	look := step.Looked{Inputs: step.Inputs{Binding: testBinding}, Store: step.Damaged}
	s, effects := after(started(step.Settings{Rotating: true}, lives), step.Poked{}, look, step.Leased{}, look, step.Saved{Fault: step.Away},
		step.Poked{}, look, step.Called{}, look, step.Connected{}, look, step.Saved{Fault: step.Away}, step.Drained{})
	if _, ok := effects[len(effects)-1].(step.Send); !ok || s.record.Open(record.FingerprintOf("current")) == nil {
		t.Errorf("got %+v", effects)
	}
}

// Two processes with grants of different log-ins on one record wrote over each other
// as fast as the disk would.
func TestTwoWhoTakeEachOthersRecordForForeignTakeTurnsSlowly(t *testing.T) {
	ours := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	theirs := new(record.Record).Answered(1, record.Presented{RefreshToken: "other", Binding: testBinding}, record.Token{RefreshToken: "living"})
	s := started(step.Settings{Rotating: true}, ours)
	in := step.Inputs{Binding: testBinding}
	now, writes := int64(1), 0
	for range 30 {
		for _, e := range []step.Event{step.Poked{}, step.Looked{Inputs: in, Stored: theirs}, step.Leased{}, step.Looked{Stored: theirs}, step.Saved{}} {
			next, effects := Next(s, e, when.Now{Mono: now, Wall: epoch + now})
			s = next
			for _, effect := range effects {
				if save, ok := effect.(step.Save); ok {
					writes++
					other := *theirs
					other.Revision = save.IfRevision + 2 // and written over at once
					theirs = &other
				}
			}
		}
		now += int64(100 * time.Millisecond)
	}
	if writes > 6 {
		t.Errorf("%d writes in 3 s", writes)
	}
}

// The candidate that an order was about to present turned out to be another client's: the
// order was answered as if the client did not run.
func TestAnOrderGoesOnWithTheGrantWhenItsCandidateIsAnotherClients(t *testing.T) {
	current := record.Presented{RefreshToken: "old", Binding: testBinding}
	lives := new(record.Record).Answered(1, current, record.Token{RefreshToken: "current"})
	for name, stored := range map[string]*record.Record{"a grant lives": lives, "none does": new(record.Record)} {
		in := step.Inputs{Seed: "taken", Binding: testBinding}
		taken := &finding.Facts{Owner: "other"}
		s, effects := after(started(step.Settings{Rotating: true}, stored), step.Ordered{Order: step.Order{ID: 1}}, step.Looked{Inputs: in, Stored: stored}, step.Connected{}, step.Leased{},
			step.Looked{Stored: stored}, step.Saved{}, step.Claimed{Fault: step.Taken, Facts: taken}, step.Saved{})
		for _, e := range effects {
			if r, ok := e.(step.Reply); ok {
				t.Errorf("%s: answered %+v", name, r)
			}
		}
		_, effects = after(s, step.Looked{Inputs: in, Stored: s.record, Taken: taken})
		var reply step.Reply
		for _, e := range effects {
			if r, ok := e.(step.Reply); ok {
				reply = r
			}
		}
		last := effects[len(effects)-1]
		if stored == lives && last != (step.Connect{RefreshToken: "current"}) || stored != lives && reply.Trouble.Cause != finding.CauseSeedTaken {
			t.Errorf("%s: it goes on with %+v", name, effects)
		}
	}
}

// A reload may stop a client and start it again before what was called off has ended.
func TestWhatAStopCalledOffIsNoTroubleOfTheStartThatFollows(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	in := step.Inputs{Binding: testBinding}
	looked := step.Looked{Inputs: in, Stored: lives}
	canceled := step.Answered{Answer: step.Answer{Outcome: step.NotSent, Cause: finding.CauseCanceled, Facts: new(finding.Facts)}}
	connecting := []step.Event{step.Poked{}, looked, step.Called{}, looked}
	for name, c := range map[string]struct{ before, then []step.Event }{
		"while it connects":           {connecting, []step.Event{canceled}},
		"when it has just connected":  {connecting, []step.Event{step.Connected{}}},
		"while requests are answered": {append(connecting, step.Connected{}, step.Leased{}, looked, step.Saved{}), []step.Event{step.Drained{}, step.Saved{}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, effects := after(started(step.Settings{Rotating: true}, lives), c.before...)
			set := s.settings
			s, more := after(s, append([]step.Event{step.Stopped{}, step.Started{Settings: set}}, c.then...)...)
			for _, e := range append(effects, more...) {
				switch e := e.(type) {
				case step.Tell:
					t.Errorf("told %+v", e)
				case step.Send:
					t.Error("what was called off is sent")
				}
			}
			if last, ok := more[len(more)-1].(step.Look); !ok || !last.Config || s.trouble.Condition != finding.Well {
				t.Errorf("it goes on with %+v, and has the trouble %+v", more[len(more)-1], s.trouble)
			}
		})
	}
}

// A look began under other settings than those that the keeper had when it read what they
// resolve to: a new refresh token of the latter was dropped by the rules of the former, and an
// access token was published for whom it is not.
func TestALookThatMeetsAReloadIsBegunAnew(t *testing.T) {
	rotating := &step.Settings{Rotating: true, Bound: 2}
	in := step.Inputs{Seed: "seed", Binding: testBinding}
	for name, c := range map[string]struct {
		before step.Settings
		now    []step.Event
	}{
		"a cache rotates now":     {step.Settings{Bound: 1}, []step.Event{step.Started{Settings: rotating}}},
		"another client is meant": {step.Settings{Rotating: true, Bound: 1}, []step.Event{step.Started{Settings: rotating}}},
		"there and back":          {*rotating, []step.Event{step.Started{Settings: &step.Settings{Rotating: true, Bound: 1}}, step.Started{Settings: rotating}}},
		"stopped in between":      {step.Settings{Bound: 1}, []step.Event{step.Stopped{}, step.Started{Settings: rotating}}},
	} {
		for _, answer := range []step.Looked{{Inputs: in, Stored: living()}, {Inputs: in, Store: step.Away}, {Config: step.Unresolved}} {
			t.Run(name, func(t *testing.T) {
				s, _ := after(started(c.before, living()), append([]step.Event{step.Poked{}, step.Ordered{Order: step.Order{ID: 1, Force: true}}}, c.now...)...)
				bound := s.unbound
				s, effects := after(s, answer)
				if last, ok := effects[len(effects)-1].(step.Look); !ok || !last.Config {
					t.Errorf("it goes on with %+v", effects)
				}
				if s.unbound != bound || s.trouble.Condition != finding.Well || s.plan.settings != rotating || s.plan.stale {
					t.Errorf("it took over what was read: %+v", s.trouble)
				}
				for _, e := range effects {
					if r, ok := e.(step.Reply); ok && r.Trouble.Cause != finding.CauseStopped {
						t.Errorf("answered %+v", r)
					}
				}
			})
		}
	}
}

// What a log-in brought was lost when the connection had taken most of the time: nobody else
// has it.
func TestAnImportThatCannotBePresentedIsKept(t *testing.T) {
	s, _ := after(started(step.Settings{Rotating: true}, living()), step.Ordered{Order: step.Order{ID: 1, Import: "imported", Login: true}},
		step.Looked{Inputs: step.Inputs{Binding: testBinding}, Stored: living()}, step.Connected{}, step.Leased{})
	_, effects := Next(s, step.Looked{Stored: living()}, when.Now{Mono: int64(59 * time.Second), Wall: epoch + int64(59*time.Second)})
	last, ok := effects[len(effects)-1].(step.Save)
	if !ok || last.Journal || last.Record.Of(record.FingerprintOf("imported")) != record.Unjudged {
		t.Errorf("it goes on with %+v", effects)
	}
}

// What a log-in brought was dropped when another process had the record for too long, or when the
// store was away by then; and whoever orders an import is told that it is carried out later.
func TestAnImportThatMeetsALeaseOrAStoreThatIsAwayIsKeptAndThatIsTold(t *testing.T) {
	in := step.Inputs{Binding: testBinding}
	connected := []step.Event{step.Ordered{Order: step.Order{ID: 1, Import: "imported", Login: true}}, step.Looked{Inputs: in, Stored: living()}, step.Connected{}}
	away := new(finding.Facts)
	for name, c := range map[string]struct {
		before []step.Event
		cause  string
	}{
		"held too long": {append(slices.Clone(connected), step.Leased{Fault: step.Busy}), finding.CauseLeaseHeld},
		"away":          {append(slices.Clone(connected), step.Leased{Fault: step.Away, Facts: away}), finding.CauseStore},
		"not journaled": {append(slices.Clone(connected), step.Leased{}, step.Looked{Stored: living()}, step.Saved{Fault: step.Away, Facts: away}), finding.CauseStore},
	} {
		t.Run(name, func(t *testing.T) {
			s, effects := after(started(step.Settings{Rotating: true}, living()), c.before...)
			if c.cause == finding.CauseLeaseHeld {
				now := when.Now{Mono: int64(2 * time.Minute), Wall: epoch + int64(2*time.Minute)}
				for _, e := range []step.Event{step.Poked{}, step.Looked{Inputs: in, Stored: living()}, step.Connected{}, step.Leased{Fault: step.Busy}} {
					s, effects = Next(s, e, now)
				}
			}
			last, ok := effects[len(effects)-1].(step.Save)
			if !ok || last.Journal || last.Record.Of(record.FingerprintOf("imported")) != record.Unjudged {
				t.Fatalf("it goes on with %+v", effects)
			}
			_, effects = after(s, step.Saved{})
			var replied bool
			for _, e := range effects {
				if r, ok := e.(step.Reply); ok {
					replied = true
					if !r.Kept || r.Outcome == step.Obtained || r.Trouble.Cause != c.cause {
						t.Errorf("answered %+v", r)
					}
				}
			}
			if !replied {
				t.Error("the order is not answered")
			}
		})
	}
}

// Nothing was sent, and the journal said for ever that something may have been.
func TestAPanicWhileATokenIsClaimedTakesTheJournalBack(t *testing.T) {
	in := step.Inputs{Seed: "seed", Binding: testBinding}
	s, effects := after(started(step.Settings{Rotating: true}, new(record.Record)), step.Poked{}, step.Looked{Inputs: in, Store: step.Missing}, step.Called{},
		step.Looked{Inputs: in, Store: step.Missing}, step.Connected{}, step.Leased{}, step.Looked{Store: step.Missing}, step.Saved{})
	if s.phase != Claiming {
		t.Fatalf("%v: %+v", s.phase, effects)
	}
	_, effects = after(s, step.Panicked{Facts: new(finding.Facts)})
	if last, ok := effects[len(effects)-1].(step.Save); !ok || last.Record.Open(record.FingerprintOf("seed")) != nil {
		t.Errorf("it goes on with %+v", effects)
	}
}

// Whoever had ordered a revocation went away while another holder had the lease: the grant was
// revoked some time later, when it could be another one, and nobody was told.
func TestAnOrderThatNobodyWaitsForIsNotBegunAnew(t *testing.T) {
	in := step.Inputs{Binding: testBinding, Revocable: true}
	s, _ := after(started(step.Settings{Rotating: true}, living()), step.Ordered{Order: step.Order{ID: 1, Revoke: true}}, step.Looked{Inputs: in, Stored: living()},
		step.OrderGone{ID: 1}, step.Leased{Fault: step.Busy})
	if n := len(s.rarely().orders.Waiting); n > 0 {
		t.Errorf("%d orders wait", n)
	}
}

// … and one that had begun was carried out.
func TestAnOrderThatHasBegunGoesOnWhenNobodyWaitsForIt(t *testing.T) {
	in := step.Inputs{Binding: testBinding, Revocable: true}
	_, effects := after(started(step.Settings{Rotating: true}, living()), step.Ordered{Order: step.Order{ID: 1, Revoke: true}}, step.Looked{Inputs: in, Stored: living()},
		step.OrderGone{ID: 1}, step.Leased{}, step.Looked{Stored: living()})
	if want := (step.Revoke{RefreshToken: "current"}); effects[len(effects)-1] != want {
		t.Errorf("it goes on with %+v", effects)
	}
}
