package grant

import (
	"testing"
	"time"

	"lamplighter/module/internal/record"
)

var testBinding = record.Binding{Grant: 1, Request: 2}

// started returns a client that obeys settings, and has that record.
func started(set Settings, r *record.Record) State {
	set.Timeout, set.RefreshWindowRatio = time.Minute, 0.5
	s := New("process", 1)
	s.settings, s.record, s.loaded, s.binding = &set, r, true, testBinding
	return s
}

// after returns what events make of a state, and all that was to be done.
func after(s State, events ...Event) (_ State, all []Effect) {
	for _, e := range events {
		next, effects := Next(s, e, Now{Mono: 1, Wall: epoch})
		s, all = next, append(all, effects...)
	}
	return s, all
}

// Another holder judged what an order was about to present: the order was answered as
// if the client did not run.
func TestAnOrderGoesOnWithWhatAnotherHolderLeft(t *testing.T) {
	seed := record.Presented{RefreshToken: "seed", Candidate: true, Binding: testBinding}
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	in := Inputs{Seed: "seed", Binding: testBinding}
	s, effects := after(started(Settings{Rotating: true}, lives), Ordered{Order{ID: 1}}, Looked{Inputs: in, Stored: lives}, Connected{}, Leased{},
		Looked{Stored: lives.Refuse(2, seed, false, nil)})
	for _, e := range effects {
		if r, ok := e.(Reply); ok {
			t.Errorf("answered %+v", r)
		}
	}
	if _, effects = after(s, Looked{Inputs: in, Stored: s.record}); effects[len(effects)-1] != (Connect{RefreshToken: "current"}) {
		t.Errorf("it goes on with %+v", effects)
	}
}

// A fixed refresh token that was accepted when an operator had it presented once more
// was taken for refused with the next look.
func TestAFixedRefreshTokenThatIsAcceptedOnceMoreIsPresentedAgain(t *testing.T) {
	in := Inputs{Seed: "seed", Binding: testBinding}
	refused := Answer{Outcome: RefusedGrant, Status: 400}
	granted := Answer{Outcome: Granted, Status: 200, ExpiresIn: time.Hour, Access: record.AccessToken{AccessToken: "access"}}
	ask := func(s State, a Answer) State {
		s, _ = after(s, Called{}, Looked{Inputs: in, Store: Missing}, Connected{}, Claimed{}, Drained{}, Answered{a}, Saved{})
		return s
	}
	s, _ := after(started(Settings{}, new(record.Record)), Poked{}, Looked{Inputs: in, Store: Missing})
	if s = ask(s, refused); s.trouble.Condition != Lost {
		t.Fatalf("got %+v", s.trouble)
	}
	s, _ = after(s, Ordered{Order{ID: 1}}, Looked{Inputs: in, Stored: s.record}, Connected{}, Claimed{}, Drained{}, Answered{granted}, Saved{})
	if s.live == nil {
		t.Fatalf("got %+v", s.trouble)
	}
	if s, _ = after(s, Poked{}, Looked{Inputs: in, Stored: s.record}); s.trouble.Condition != Well {
		t.Errorf("after a look: %+v", s.trouble)
	}
}

// A fixed refresh token that the wrong server refused was never shown to the right one.
func TestAFixedRefreshTokenThatTheWrongServerRefusedIsPresentedToTheRightOne(t *testing.T) {
	wrong := record.Presented{RefreshToken: "seed", Binding: record.Binding{Grant: 9, Request: 2}}
	refused := new(record.Record).Refuse(1, wrong, true, &record.Loss{Cause: CauseRefused})
	s, _ := after(started(Settings{}, refused), Poked{}, Looked{Inputs: Inputs{Seed: "seed", Binding: testBinding}, Stored: refused})
	if s.trouble.Condition != Well || !s.inLine {
		t.Errorf("got %+v", s.trouble)
	}
}

// … and when that refuses it too, it is shown to neither again.
func TestAFixedRefreshTokenThatBothServersRefusedIsPresentedToNeither(t *testing.T) {
	wrong := record.Presented{RefreshToken: "seed", Binding: record.Binding{Grant: 9, Request: 2}}
	refused := new(record.Record).Refuse(1, wrong, true, &record.Loss{Cause: CauseRefused})
	in := Inputs{Seed: "seed", Binding: testBinding}
	s, _ := after(started(Settings{}, refused), Poked{}, Looked{Inputs: in, Stored: refused}, Called{}, Looked{Inputs: in, Stored: refused},
		Connected{}, Claimed{}, Drained{}, Answered{Answer{Outcome: RefusedGrant, Status: 400}}, Saved{})
	s, _ = after(s, Poked{}, Looked{Inputs: in, Stored: s.record})
	if s.trouble.Condition != Lost || s.inLine {
		t.Errorf("got %+v", s.trouble)
	}
}

// A record was damaged on a disk that cannot be written: the grant in memory was
// never presented again, and requests failed although nothing was to be lost.
func TestADamagedRecordThatCannotBeMendedDoesNotStopTheGrant(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	look := Looked{Inputs: Inputs{Binding: testBinding}, Store: Damaged}
	s, effects := after(started(Settings{Rotating: true}, lives), Poked{}, look, Leased{}, look, Saved{Fault: Away},
		Poked{}, look, Called{}, look, Connected{}, look, Saved{Fault: Away}, Drained{})
	if _, ok := effects[len(effects)-1].(Send); !ok || s.record.Open(record.FingerprintOf("current")) == nil {
		t.Errorf("got %+v", effects)
	}
}

// Two processes with grants of different log-ins on one record wrote over each other
// as fast as the disk would.
func TestTwoWhoTakeEachOthersRecordForForeignTakeTurnsSlowly(t *testing.T) {
	ours := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	theirs := new(record.Record).Answered(1, record.Presented{RefreshToken: "other", Binding: testBinding}, record.Token{RefreshToken: "living"})
	s := started(Settings{Rotating: true}, ours)
	in := Inputs{Binding: testBinding}
	now, writes := int64(1), 0
	for range 30 {
		for _, e := range []Event{Poked{}, Looked{Inputs: in, Stored: theirs}, Leased{}, Looked{Stored: theirs}, Saved{}} {
			next, effects := Next(s, e, Now{Mono: now, Wall: epoch + now})
			s = next
			for _, effect := range effects {
				if save, ok := effect.(Save); ok {
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
		in := Inputs{Seed: "taken", Binding: testBinding}
		taken := &Facts{Owner: "other"}
		s, effects := after(started(Settings{Rotating: true}, stored), Ordered{Order{ID: 1}}, Looked{Inputs: in, Stored: stored}, Connected{}, Leased{},
			Looked{Stored: stored}, Saved{}, Claimed{Fault: Taken, Facts: taken}, Saved{})
		for _, e := range effects {
			if r, ok := e.(Reply); ok {
				t.Errorf("%s: answered %+v", name, r)
			}
		}
		_, effects = after(s, Looked{Inputs: in, Stored: s.record, Taken: taken})
		var reply Reply
		for _, e := range effects {
			if r, ok := e.(Reply); ok {
				reply = r
			}
		}
		last := effects[len(effects)-1]
		if stored == lives && last != (Connect{RefreshToken: "current"}) || stored != lives && reply.Trouble.Cause != CauseSeedTaken {
			t.Errorf("%s: it goes on with %+v", name, effects)
		}
	}
}

// A reload may stop a client and start it again before what was called off has ended.
func TestWhatAStopCalledOffIsNoTroubleOfTheStartThatFollows(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	in := Inputs{Binding: testBinding}
	looked := Looked{Inputs: in, Stored: lives}
	canceled := Answered{Answer{Outcome: NotSent, Cause: CauseCanceled, Facts: new(Facts)}}
	connecting := []Event{Poked{}, looked, Called{}, looked}
	for name, c := range map[string]struct{ before, then []Event }{
		"while it connects":           {connecting, []Event{canceled}},
		"when it has just connected":  {connecting, []Event{Connected{}}},
		"while requests are answered": {append(connecting, Connected{}, Leased{}, looked, Saved{}), []Event{Drained{}, Saved{}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, effects := after(started(Settings{Rotating: true}, lives), c.before...)
			set := s.settings
			s, more := after(s, append([]Event{Stopped{}, Started{Settings: set}}, c.then...)...)
			for _, e := range append(effects, more...) {
				switch e := e.(type) {
				case Tell:
					t.Errorf("told %+v", e)
				case Send:
					t.Error("what was called off is sent")
				}
			}
			if last, ok := more[len(more)-1].(Look); !ok || !last.Config || s.trouble.Condition != Well {
				t.Errorf("it goes on with %+v, and has the trouble %+v", more[len(more)-1], s.trouble)
			}
		})
	}
}
