package grant

import (
	"testing"
	"time"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

func TestA401WaitsForNoLookThatAnAnswerPutsOffWhichCannotBeWritten(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	at := time.Unix(0, epoch).UTC()
	lives = lives.Obtain(record.AccessToken{Request: 2, Grant: 1, Lineage: record.FingerprintOf("old"), Number: 1, AccessToken: "access", ObtainedAt: at, ExpiresAt: at.Add(time.Hour)}).Count()
	s := started(step.Settings{Rotating: true, Lease: 15 * time.Second}, lives)
	in := step.Inputs{Binding: testBinding}
	s, _ = after(s, step.Poked{}, step.Looked{Inputs: in, Stored: lives})
	s.unsaved = true
	s.rare = &rare{saving: when.Backoff{NotBefore: int64(time.Hour)}}
	now := when.Now{Mono: int64(2 * time.Minute), Wall: epoch + int64(2*time.Minute)}
	for i := range 3 {
		s, _ = Next(s, step.Unauthorized{Generation: 1}, now)
		if s.Busy() {
			t.Errorf("401 number %d waits", i+1)
		}
	}
}

func TestWhoHasTheLeaseDoesNotProbeForIt(t *testing.T) {
	lives := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	now := when.Now{Mono: int64(time.Hour), Wall: epoch, Draw: .5}
	open := lives.Journal(record.Attempt{Number: 2, ID: "other.1-1", At: now.Time()}, record.Presented{RefreshToken: "current", Binding: testBinding})
	s := started(step.Settings{Rotating: true, Lease: 15 * time.Second}, open)
	s.unsaved, s.leased = true, true
	s.rare = &rare{saving: when.Backoff{NotBefore: now.Mono + int64(time.Minute)}}
	in := step.Inputs{Binding: testBinding}
	looks := 0
	for range 2000 {
		var eff []step.Effect
		s, eff = Next(s, step.Poked{}, now)
		for len(eff) > 0 {
			if _, ok := eff[len(eff)-1].(step.Look); !ok {
				break
			}
			looks++
			s, eff = Next(s, step.Looked{Inputs: in, Stored: open}, now)
		}
		if s.phase != Idle {
			break
		}
		wait, ok := s.Wake(now)
		if !ok {
			break
		}
		now.Mono += int64(wait)
		now.Wall += int64(wait)
	}
	if looks > 100 {
		t.Errorf("%d looks in %v", looks, time.Duration(now.Mono)-time.Hour)
	}
}
