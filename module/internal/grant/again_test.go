package grant

import (
	"testing"
	"time"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// toward performs what a state asks for, with a store that works and has that record, until it
// awaits something of the phase. It returns what that is.
func toward(t *testing.T, s State, phase Phase, now when.Now, in step.Inputs, stored *record.Record) (State, step.Effect) {
	t.Helper()
	outcomes := map[Phase]step.Event{
		Idle: step.Poked{}, Looking: step.Looked{Inputs: in, Stored: stored}, LookingAgain: step.Looked{Stored: stored}, Joining: step.Looked{Stored: stored},
		Connecting: step.Connected{}, Leasing: step.Leased{}, Journaling: step.Saved{}, Saving: step.Saved{}, Claiming: step.Claimed{}, Holding: step.Drained{},
	}
	for range 20 {
		e := outcomes[s.phase]
		if s.phase == Idle && s.inLine {
			e = step.Called{}
		}
		next, effects := Next(s, e, now)
		s = next
		if s.phase == phase {
			return s, effects[len(effects)-1]
		}
	}
	t.Fatalf("it is %s", phaseNames[s.phase])
	return s, nil
}

// An import whose doubts an operator had overruled was taken back when the server could not be
// reached at first: the attempts after that one knew nothing of the order.
func TestAnImportThatWasOverruledIsTriedAgainWithoutAQuestion(t *testing.T) {
	known := &record.Record{Client: "c", Revision: 1}
	in := step.Inputs{Binding: testBinding}
	s, _ := after(started(step.Settings{Rotating: true}, known), step.Ordered{Order: step.Order{ID: 1, Import: "K", Again: true}}, step.Looked{Inputs: in, Stored: known},
		step.Answered{Answer: step.Answer{Outcome: step.NotSent, Cause: "unreachable"}}, step.Saved{})
	stored := *s.record
	stored.Revision = 2
	later := when.Now{Mono: int64(time.Hour), Wall: epoch + int64(time.Hour)}
	s, effect := toward(t, s, LookingAgain, later, in, &stored)
	if effect != (step.Look{}) {
		t.Errorf("before it is journaled, it looks with %+v", effect)
	}
	s, effect = toward(t, s, Claiming, later, in, &stored)
	if want := (step.Claim{RefreshToken: "K", Rotating: true, Imported: true, Again: true}); effect != want {
		t.Errorf("it claims with %+v", effect)
	}
	s, _ = toward(t, s, Asking, later, in, &stored)
	s, _ = Next(s, step.Answered{Answer: step.Answer{Outcome: step.Unanswered, Cause: "timeout"}}, later) // of which the journal is left
	later.Mono += int64(time.Hour)
	stored = *s.record
	if s, effect = toward(t, s, LookingAgain, later, in, &stored); effect != (step.Look{}) {
		t.Errorf("after a lost answer, it looks with %+v", effect)
	}
	if _, effect = toward(t, s, Claiming, later, in, &stored); !effect.(step.Claim).Again {
		t.Errorf("after a lost answer, it claims with %+v", effect)
	}
}

// One that nobody has overruled is looked at each time.
func TestAnImportThatIsTriedAgainIsLookedAtAsBefore(t *testing.T) {
	known := &record.Record{Client: "c", Revision: 1}
	in := step.Inputs{Binding: testBinding}
	s, _ := after(started(step.Settings{Rotating: true}, known), step.Ordered{Order: step.Order{ID: 1, Import: "K"}}, step.Looked{Inputs: in, Stored: known},
		step.Answered{Answer: step.Answer{Outcome: step.NotSent, Cause: "unreachable"}}, step.Saved{})
	stored := *s.record
	if _, effect := toward(t, s, LookingAgain, when.Now{Mono: int64(time.Hour), Wall: epoch}, in, &stored); effect != (step.Look{Missing: record.FingerprintOf("K")}) {
		t.Errorf("it looks with %+v", effect)
	}
}
