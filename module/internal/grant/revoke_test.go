package grant

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// A server answers 200 to the revocation of a refresh token that it does not know (RFC 7009
// section 2.2): a grant was taken for revoked whose refresh token a lost answer had consumed.
func TestWhatALostAnswerMayHaveConsumedIsRefreshedBeforeItIsRevoked(t *testing.T) {
	w := history(t, "one, replace, revocation", `
		0 time
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 hold
		0 process
		0 answer lost
		0 revoke order
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 hold
		0 process
		0 answer
		0 save
		0 time
		0 look
		0 lease
		0 look
		0 revoke
		0 save
	`)
	if l := w.server.families[0]; !l.dead || len(w.h[0].orders) > 0 {
		t.Errorf("the server has %+v, and %d orders wait", l, len(w.h[0].orders))
	}
}

// … and where it was refused, nobody was told that it is revoked.
func TestARevocationIsNotToldOfWhatTheServerRefused(t *testing.T) {
	lives := living()
	open := lives.Journal(record.Attempt{Number: 2, ID: "other.1-7", At: time.Unix(0, epoch).UTC()}, record.Presented{RefreshToken: "current", Binding: testBinding})
	in := step.Inputs{Binding: testBinding, Revocable: true}
	s := started(step.Settings{Rotating: true}, open)
	_, effects := after(s, step.Ordered{Order: step.Order{ID: 1, Revoke: true}}, step.Looked{Inputs: in, Stored: open}, step.Connected{}, step.Leased{}, step.Looked{Stored: open},
		step.Saved{}, step.Drained{}, step.Answered{Answer: step.Answer{Outcome: step.RefusedGrant, Status: 400, Cause: finding.CauseRefused}}, step.Saved{})
	var replied bool
	for _, e := range effects {
		if r, ok := e.(step.Reply); ok {
			replied = true
			if r.Outcome == step.WasRevoked || r.Trouble.Condition != finding.Lost {
				t.Errorf("answered %+v", r)
			}
		}
	}
	if !replied {
		t.Error("the order is not answered")
	}
}

// While another replica may still hear an answer, what it presented is not revoked.
func TestWhatAnotherReplicaHasPresentedIsNotRevokedBeforeItsAnswerIsDue(t *testing.T) {
	lives := living()
	open := lives.Journal(record.Attempt{Number: 2, ID: "other.1-7", At: time.Unix(0, epoch).UTC()}, record.Presented{RefreshToken: "current", Binding: testBinding})
	in := step.Inputs{Binding: testBinding, Revocable: true}
	answered := open.Answered(2, record.Presented{RefreshToken: "current", Binding: testBinding}, record.Token{RefreshToken: "next"})
	for _, first := range []*record.Record{lives, open} { // as it is at the first look
		s := started(step.Settings{Rotating: true, Lease: 15 * time.Second}, lives)
		s, effects := after(s, step.Ordered{Order: step.Order{ID: 1, Revoke: true}}, step.Looked{Inputs: in, Stored: first}, step.Leased{}, step.Looked{Stored: open}, step.Looked{Inputs: in, Stored: open})
		for _, e := range effects {
			switch e.(type) {
			case step.Revoke, step.Connect, step.Reply:
				t.Errorf("got %#v", e)
			}
		}
		now := when.Now{Mono: int64(2 * time.Second), Wall: epoch + int64(2*time.Second)}
		_, effect := toward(t, s, Revoking, now, in, answered)
		if want := (step.Revoke{RefreshToken: "next"}); effect != want {
			t.Errorf("it goes on with %+v", effect)
		}
	}
}

// A process that was paused while it revoked, for longer than its lease, told that the grant is
// revoked: the server had said so of a token that another replica had replaced, and the grant
// lived on.
func TestARevocationThatOutlivedItsLeaseIsMadeOnceMore(t *testing.T) {
	in := step.Inputs{Binding: testBinding, Revocable: true}
	s, _ := after(started(step.Settings{Rotating: true, Lease: 15 * time.Second}, living()), step.Ordered{Order: step.Order{ID: 1, Revoke: true}})
	s, effect := toward(t, s, Revoking, when.Now{Mono: 1, Wall: epoch}, in, living())
	if want := (step.Revoke{RefreshToken: "current"}); effect != want {
		t.Fatalf("it goes on with %+v", effect)
	}
	now := when.Now{Mono: int64(time.Minute), Wall: epoch + int64(time.Minute)}
	s, effects := Next(s, step.Revoked{OK: true, LeaseLost: true}, now)
	for _, e := range effects {
		switch e := e.(type) {
		case step.Reply, step.Save:
			t.Errorf("got %+v", e)
		}
	}
	rotated := living().Answered(2, record.Presented{RefreshToken: "current", Binding: testBinding}, record.Token{RefreshToken: "next"})
	s, effect = toward(t, s, Revoking, now, in, rotated)
	if want := (step.Revoke{RefreshToken: "next"}); effect != want {
		t.Errorf("it goes on with %+v", effect)
	}
	var replied bool
	_, effects = after(s, step.Revoked{OK: true}, step.Saved{})
	for _, e := range effects {
		if r, ok := e.(step.Reply); ok {
			replied = r.Outcome == step.WasRevoked
		}
	}
	if !replied {
		t.Errorf("it ends with %+v", effects)
	}
}

// A token that another holder obtained since is not what the order asks for.
func TestARevocationIsNotFulfilledByATokenThatAnotherHolderObtained(t *testing.T) {
	at := time.Unix(0, epoch).UTC()
	newer := living().Obtain(record.AccessToken{Request: 2, Grant: 1, Lineage: record.FingerprintOf("old"), Number: 1, AccessToken: "access", ObtainedAt: at, ExpiresAt: at.Add(time.Hour)}).Count()
	open := newer.Journal(record.Attempt{Number: 2, ID: "other.1-7", At: at}, record.Presented{RefreshToken: "current", Binding: testBinding})
	in := step.Inputs{Binding: testBinding, Revocable: true}
	s, effects := after(started(step.Settings{Rotating: true}, living()), step.Ordered{Order: step.Order{ID: 1, Revoke: true}}, step.Looked{Inputs: in, Stored: open})
	if s.live == nil || effects[len(effects)-1] != (step.Connect{RefreshToken: "current"}) {
		t.Errorf("it goes on with %+v", effects)
	}
}

// A seed beside the grant, or in the place of it, is not what is to be revoked.
func TestARevocationIsNotOfWhatTheConfigurationHasBeside(t *testing.T) {
	open := living().Journal(record.Attempt{Number: 2, ID: "other.1-7", At: time.Unix(0, epoch).UTC()}, record.Presented{RefreshToken: "current", Binding: testBinding})
	in := step.Inputs{Seed: "seed", Binding: testBinding, Revocable: true}
	_, effects := after(started(step.Settings{Rotating: true}, open), step.Ordered{Order: step.Order{ID: 1, Revoke: true}}, step.Looked{Inputs: in, Stored: open})
	if effects[len(effects)-1] != (step.Connect{RefreshToken: "current"}) {
		t.Errorf("it goes on with %+v", effects)
	}
}

// living is the record of a grant that lives.
func living() *record.Record {
	r := new(record.Record).Answered(1, record.Presented{RefreshToken: "old", Binding: testBinding}, record.Token{RefreshToken: "current"})
	r.Revision = 1
	return r
}
