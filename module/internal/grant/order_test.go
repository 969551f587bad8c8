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
	s := New("process")
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
	if _, effects = after(s, Looked{Inputs: in, Stored: s.record}); effects[len(effects)-1] != (Connect{"current"}) {
		t.Errorf("it goes on with %+v", effects)
	}
}
