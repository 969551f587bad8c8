package grant

import (
	"testing"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// bound is a record whose refresh token was obtained with a proof of a key.
func bound(key record.Key) *record.Record {
	p := record.Presented{RefreshToken: "seed", Candidate: true, Binding: testBinding, Key: key}
	return new(record.Record).Journal(record.Attempt{Number: 1, ID: "a"}, p).Answered(1, p, record.Token{RefreshToken: "current"})
}

func TestAPublicClientsRefreshTokenIsNotSentWithAnotherKey(t *testing.T) {
	own := record.Key{ID: 7, Alg: "ES256", Private: "a key"}
	stored := bound(own)
	for name, c := range map[string]struct {
		want record.Proof
		sent bool
	}{
		"the key of the record":   {record.Proof{Wanted: true, Bound: true}, true},
		"another in the settings": {record.Proof{Wanted: true, Bound: true, Key: 8}, false},
		"another algorithm":       {record.Proof{Wanted: true, Bound: true, Algs: []string{"EdDSA"}}, false},
		"no proofs any more":      {record.Proof{Bound: true}, false},
		"a confidential client":   {record.Proof{Wanted: true, Key: 8}, true},
	} {
		s, effects := after(started(step.Settings{Rotating: true}, stored), step.Ordered{Order: step.Order{ID: 1}}, step.Looked{Inputs: step.Inputs{Binding: testBinding, Proof: c.want}, Stored: stored})
		connect, sent := step.Connect{}, false
		for _, e := range effects {
			if connects, ok := e.(step.Connect); ok {
				connect, sent = connects, true
			}
		}
		if sent != c.sent || !sent && s.trouble.Cause != finding.CauseKeyChanged {
			t.Errorf("%s: sent %v, and %+v", name, sent, s.trouble)
		}
		if wants := c.want.Key; sent && connect.Key.ID != max(wants, own.ID) {
			t.Errorf("%s: the key %v is proved", name, connect.Key.ID)
		}
	}
}

// What is proved first is on the disk before.
func TestAKeyThatIsMadeIsJournaledBeforeItsFirstProof(t *testing.T) {
	made := record.Key{ID: 7, Alg: "ES256", Private: "a key"}
	in := step.Inputs{Seed: "seed", Binding: testBinding, Proof: record.Proof{Wanted: true, Bound: true}}
	look := step.Looked{Inputs: in, Store: step.Missing}
	s, effects := after(started(step.Settings{Rotating: true}, new(record.Record)), step.Ordered{Order: step.Order{ID: 1}}, look, step.Connected{Key: made}, step.Leased{}, look)
	save, ok := effects[len(effects)-1].(step.Save)
	if !ok || !save.Journal || save.Record.Key(7) == nil || save.Record.KeyOf(record.FingerprintOf("seed")) != 7 {
		t.Fatalf("%+v", effects[len(effects)-1])
	}
	s, _ = after(s, step.Saved{}, step.Claimed{}, step.Drained{}, step.Answered{Answer: step.Answer{
		Outcome: step.Granted, RefreshToken: "next", ExpiresIn: 1e12, Access: record.AccessToken{AccessToken: "access", Key: 7},
	}}, step.Saved{})
	if s.live == nil || s.record.KeyOf(record.FingerprintOf("next")) != 7 || s.record.Key(7) == nil {
		t.Errorf("%+v", s.record)
	}
}

// Another holder has made a key meanwhile: its refresh token may be bound to that by now.
func TestARequestThatWasPreparedWithAnotherKeyIsPreparedAnew(t *testing.T) {
	in := step.Inputs{Seed: "seed", Binding: testBinding, Proof: record.Proof{Wanted: true, Bound: true}}
	theirs := new(record.Record).Supply(1, record.Presented{RefreshToken: "seed", Binding: testBinding, Key: record.Key{ID: 8, Alg: "ES256", Private: "theirs"}})
	_, effects := after(started(step.Settings{Rotating: true}, new(record.Record)), step.Ordered{Order: step.Order{ID: 1}}, step.Looked{Inputs: in, Store: step.Missing},
		step.Connected{Key: record.Key{ID: 7, Alg: "ES256", Private: "ours"}}, step.Leased{}, step.Looked{Stored: theirs})
	for _, e := range effects {
		if s, ok := e.(step.Save); ok && s.Journal {
			t.Errorf("it is sent with a proof of ours: %+v", s.Record)
		}
	}
}

// An access token that is bound to a key which is lost is of no use to anybody.
func TestAnAccessTokenWithoutItsKeyIsNotInjected(t *testing.T) {
	r := bound(record.Key{ID: 7, Alg: "ES256", Private: "a key"})
	r = r.Obtain(record.AccessToken{
		Request: testBinding.Request, Grant: testBinding.Grant, Lineage: record.FingerprintOf("seed"), Number: 1, AccessToken: "access", Key: 9,
		ObtainedAt: when.Now{Wall: epoch}.Time(), ExpiresAt: when.Now{Wall: epoch + 1e12}.Time(),
	})
	s, _ := after(started(step.Settings{Rotating: true}, new(record.Record)), step.Poked{}, step.Looked{Inputs: step.Inputs{Binding: testBinding, Proof: record.Proof{Wanted: true}}, Stored: r})
	if s.live != nil {
		t.Errorf("%+v", s.live.Token)
	}
}
