package grant

import (
	"testing"
	"time"

	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// A bug of ours in reading the rest of an answer costs no refresh token.
func TestTheRefreshTokenOfAnAnswerThatABugMetIsKept(t *testing.T) {
	s := New("process", 1)
	p := record.Presented{RefreshToken: "old", Candidate: true, Binding: record.Binding{Grant: 1, Request: 2}}
	s.settings = &step.Settings{Rotating: true, Timeout: time.Minute, RefreshWindowRatio: 0.5}
	s.record, s.loaded, s.phase = s.record.Journal(record.Attempt{Number: 1, ID: "process.1-1"}, p), true, Asking
	s.binding = p.Binding
	s.plan = &plan{settings: s.settings, Choice: choice.Choice{Presented: p}, number: 1, connects: "old"}
	next, effects := Next(s, step.Panicked{Answer: &step.Answer{Outcome: step.Granted, RefreshToken: "new"}}, when.Now{Mono: 1, Wall: 1})
	if c := next.record.Current(1); c == nil || c.RefreshToken != "new" {
		t.Fatal("the new refresh token is lost")
	}
	for _, e := range effects {
		if save, ok := e.(step.Save); ok {
			if c := save.Record.Current(1); c == nil || c.RefreshToken != "new" {
				t.Errorf("what is written holds %+v", c)
			}
			return
		}
	}
	t.Errorf("nothing is written: %+v", effects)
}

// What is mended is what nobody could read, whatever revision it was known to have:
// a readable record in its place is another holder's, who was faster.
func TestADamagedRecordIsNotKnownByItsRevision(t *testing.T) {
	s := New("process", 1)
	p := record.Presented{RefreshToken: "old", Candidate: true, Binding: record.Binding{Grant: 1, Request: 2}}
	s.settings = &step.Settings{Rotating: true, Timeout: time.Minute, RefreshWindowRatio: 0.5}
	s.record = s.record.Answered(1, p, record.Token{RefreshToken: "new"})
	s.binding, s.loaded, s.tag = p.Binding, true, 7
	var effects []step.Effect
	for _, e := range []step.Event{step.Poked{}, step.Looked{Inputs: step.Inputs{Binding: p.Binding}, Store: step.Damaged}, step.Leased{}, step.Looked{Store: step.Damaged}} {
		s, effects = Next(s, e, when.Now{Mono: 1, Wall: 1})
	}
	if save, ok := effects[len(effects)-1].(step.Save); !ok || save.SetAside != step.Damaged {
		t.Errorf("got %+v, want a write in the place of what is damaged", effects)
	}
}

// A bug that is met again and again when what is owed is written is no endless loop.
func TestABugWhileJoiningIsMetAgainOnlyAfterAPause(t *testing.T) {
	s := New("process", 1)
	s.settings = &step.Settings{Rotating: true, Timeout: time.Minute, RefreshWindowRatio: 0.5}
	s.loaded, s.unsaved = true, true
	now := when.Now{Mono: 1, Wall: 1}
	s, _ = Next(s, step.Poked{}, now)
	for _, want := range []Phase{Leasing, Joining} {
		if s.phase != want {
			t.Fatalf("phase %d, want %d", s.phase, want)
		}
		s, _ = Next(s, step.Panicked{}, now)
	}
	if wait, ok := s.Wake(now); s.phase == Joining || s.phase == Idle && (!ok || wait == 0) {
		t.Errorf("phase %d, wakes in %v, %v: want a pause", s.phase, wait, ok)
	}
	if !s.unsaved {
		t.Error("what is owed is forgotten")
	}
}

// Writing what is owed brings no token: nobody is to wait for it.
func TestWhatIsOwedIsNoRefresh(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	s := started(step.Settings{Rotating: true}, lives)
	s.unsaved = true
	if s, _ = after(s, step.Poked{}); s.phase != Leasing || s.Refreshing() {
		t.Errorf("phase %d, refreshing %v", s.phase, s.Refreshing())
	}
}
