package grant

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// doubting is a client that took a refresh token over from another replica, and was told that it
// is refused; and the record that it wrote then, and when that is to be believed.
func doubting(t *testing.T) (s State, stored *record.Record, believed when.Now) {
	t.Helper()
	at := time.Unix(0, epoch).UTC()
	open := living().Journal(record.Attempt{Number: 2, ID: "other.1-7", At: at}, record.Presented{RefreshToken: "current", Binding: testBinding})
	set := step.Settings{Rotating: true, Lease: 15 * time.Second}
	later := when.Now{Mono: int64(2 * time.Minute), Wall: epoch + int64(2*time.Minute)}
	in := step.Inputs{Binding: testBinding}
	s, _ = toward(t, started(set, open), Asking, later, in, open)
	s, _ = Next(s, step.Answered{Answer: step.Answer{Outcome: step.RefusedGrant, Status: 400, Cause: finding.CauseRefused}}, later)
	if s.rarely().doubt.Token == 0 {
		t.Fatal("it has no doubt")
	}
	s, _ = Next(s, step.Saved{}, later)
	later.Mono += int64(16 * time.Second)
	later.Wall += int64(16 * time.Second)
	return s, s.record, later
}

// A grant was said to be lost although the store was away, which may have had the answer of the
// replica that the refresh token was taken over from.
func TestARefusalInDoubtIsNotBelievedBeforeTheRecordWasRead(t *testing.T) {
	s, stored, now := doubting(t)
	away := step.Looked{Inputs: step.Inputs{Binding: testBinding}, Store: step.Away, Facts: &finding.Facts{}}
	s, _ = Next(s, step.Poked{}, now)
	if s.phase != Joining {
		t.Fatalf("it is %s", phaseNames[s.phase])
	}
	s, effects := Next(s, away, now)
	for s.phase == Looking {
		s, _ = Next(s, away, now)
	}
	for _, e := range effects {
		if told, ok := e.(step.Tell); ok && told.Kind == finding.GrantLost {
			t.Errorf("told %+v", told)
		}
	}
	if s.trouble.Condition == finding.Lost || s.unsaved || s.rarely().doubt.Token == 0 {
		t.Errorf("its trouble is %+v, it owes something (%v), and the doubt is %+v", s.trouble, s.unsaved, s.rarely().doubt)
	}
	wait, ok := s.Wake(now)
	if !ok || wait <= 0 || wait > time.Minute {
		t.Errorf("it goes on in %v (%v)", wait, ok)
	}
	now.Mono += int64(time.Minute)
	answered := stored.Answered(2, record.Presented{RefreshToken: "current", Binding: testBinding}, record.Token{RefreshToken: "next"})
	for _, e := range []step.Event{step.Poked{}, step.Looked{Stored: answered}, step.Saved{}, step.Looked{Inputs: away.Inputs, Stored: answered}} {
		s, _ = Next(s, e, now)
	}
	if current := s.record.Current(testBinding.Grant); s.trouble.Condition == finding.Lost || current == nil || current.RefreshToken != "next" {
		t.Errorf("its trouble is %+v, and it holds %+v", s.trouble, current)
	}
}

// … and one that nothing disproves is believed.
func TestARefusalThatNothingDisprovesIsBelieved(t *testing.T) {
	s, stored, now := doubting(t)
	for _, e := range []step.Event{step.Poked{}, step.Looked{Stored: stored}, step.Saved{}} {
		s, _ = Next(s, e, now)
	}
	if s.trouble.Condition != finding.Lost || s.record.Of(record.FingerprintOf("current")) != record.WasRefused {
		t.Errorf("its trouble is %+v", s.trouble)
	}
}

// A lease that was lost while an answer was owed counted as held: what was owed was written
// without one, and none was asked for.
func TestALeaseThatWasLostIsAskedForBeforeWhatIsOwedIsWritten(t *testing.T) {
	now := when.Now{Mono: int64(2 * time.Minute), Wall: epoch + int64(2*time.Minute)}
	s := started(step.Settings{Rotating: true}, living())
	s.unsaved, s.leased = true, true
	s.rare = &rare{saving: when.Backoff{NotBefore: now.Mono + int64(time.Hour)}}
	in := step.Inputs{Binding: testBinding}
	s, _ = toward(t, s, Holding, now, in, living())
	s.unsaved = true // a journal that the store took has what was owed; of one that it did not
	s, _ = Next(s, step.Drained{LeaseLost: true, Facts: &finding.Facts{}}, now)
	if _, effects := Next(s, step.Saved{Fault: step.Away}, now); effects[len(effects)-1] != (step.Lease{}) {
		t.Errorf("it goes on with %+v", effects)
	}
}

// Whoever had a refresh ordered again and again kept a dead grant from being told lost.
func TestAnOrderDoesNotRenewADoubt(t *testing.T) {
	s, stored, believed := doubting(t)
	in := step.Inputs{Binding: testBinding}
	refused := step.Answered{Answer: step.Answer{Outcome: step.RefusedGrant, Status: 400, Cause: finding.CauseRefused}}
	for i, before := range []time.Duration{12 * time.Second, 4 * time.Second} {
		now := believed
		now.Mono -= int64(before)
		now.Wall -= int64(before)
		s, _ = Next(s, step.Ordered{Order: step.Order{ID: uint32(i)}}, now)
		s, _ = toward(t, s, Asking, now, in, stored)
		s, _ = Next(s, refused, now)
		s, _ = Next(s, step.Saved{}, now)
		if s.trouble.Condition == finding.Lost {
			t.Fatalf("order %d had it believed", i)
		}
		stored = s.record
	}
	for _, e := range []step.Event{step.Poked{}, step.Looked{Stored: stored}, step.Saved{}} {
		s, _ = Next(s, e, believed)
	}
	if s.trouble.Condition != finding.Lost || s.record.Of(record.FingerprintOf("current")) != record.WasRefused {
		t.Errorf("its trouble is %+v", s.trouble)
	}
}

// A server that had refused took the refresh token after all, and left it as it was: a while
// later the refusal was believed, and another token asked for.
func TestADoubtIsOverWithAnAnswerThatLeavesTheTokenAsItIs(t *testing.T) {
	s, stored, believed := doubting(t)
	in := step.Inputs{Binding: testBinding}
	now := believed
	now.Mono -= int64(10 * time.Second)
	now.Wall -= int64(10 * time.Second)
	s, _ = Next(s, step.Ordered{Order: step.Order{ID: 1}}, now)
	s, _ = toward(t, s, Asking, now, in, stored)
	s, _ = Next(s, step.Answered{Answer: step.Answer{Outcome: step.Granted, Status: 200, ExpiresIn: time.Hour, Access: record.AccessToken{AccessToken: "access"}}}, now)
	s, _ = Next(s, step.Saved{}, now)
	if s.live == nil {
		t.Fatalf("its trouble is %+v", s.trouble)
	}
	if s, effects := Next(s, step.Poked{}, believed); s.phase != Looking || s.rarely().doubt.Token != 0 {
		t.Errorf("it goes on with %+v", effects)
	}
}
