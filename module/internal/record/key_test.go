package record

import "testing"

func keyOf(id Fingerprint, alg string) Key {
	return Key{ID: id, Alg: alg, Private: "PEM of " + id.String()}
}

// provedGrant is a record with a refresh token that was obtained with a proof of a key.
func provedGrant(key Key) *Record {
	p := Presented{RefreshToken: "seed", Candidate: true, Binding: Binding{Grant: 1}, Key: key}
	r := new(Record).Journal(Attempt{Number: 1, ID: "a"}, p)
	return r.Answered(1, p, Token{RefreshToken: "second"})
}

func TestAKeyIsInTheJournalOfItsFirstProof(t *testing.T) {
	p := Presented{RefreshToken: "seed", Candidate: true, Binding: Binding{Grant: 1}, Key: keyOf(7, "ES256")}
	r := new(Record).Journal(Attempt{Number: 1, ID: "a"}, p)
	if k := r.Key(7); k == nil || k.Private != p.Key.Private || r.KeyOf(FingerprintOf("seed")) != 7 {
		t.Errorf("%+v", r)
	}
}

func TestAKeySurvivesTheDisk(t *testing.T) {
	r := provedGrant(keyOf(7, "ES256"))
	r.Revision = 1
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(data, Format)
	if err != nil || !Equal(r, back) || back.KeyOf(FingerprintOf("second")) != 7 {
		t.Errorf("%v: %s", err, data)
	}
}

func TestAPublicClientsRefreshTokenIsProvedByItsOwnKeyAlone(t *testing.T) {
	r := provedGrant(keyOf(7, "ES256")).Hold(2, keyOf(8, "PS256"))
	f := FingerprintOf("second")
	for name, c := range map[string]struct {
		token     Fingerprint
		candidate bool
		want      Proof
		key       Fingerprint
		ok        bool
	}{
		"its own":                          {f, false, Proof{Wanted: true, Bound: true}, 7, true},
		"another in the settings":          {f, false, Proof{Wanted: true, Bound: true, Key: 9}, 9, false},
		"the same in the settings":         {f, false, Proof{Wanted: true, Bound: true, Key: 7}, 7, true},
		"another algorithm":                {f, false, Proof{Wanted: true, Bound: true, Algs: []string{"PS256", "RS256"}}, 8, false},
		"none any more":                    {f, false, Proof{Bound: true}, 0, false},
		"confidential, another key":        {f, false, Proof{Wanted: true, Key: 9}, 9, true},
		"confidential, another algorithm":  {f, false, Proof{Wanted: true, Algs: []string{"PS256", "RS256"}}, 8, true},
		"confidential, one is to be made":  {f, false, Proof{Wanted: true, Algs: []string{"EdDSA"}}, 0, true},
		"confidential, none any more":      {f, false, Proof{}, 0, true},
		"a candidate that nobody knows":    {FingerprintOf("new"), true, Proof{Wanted: true, Bound: true}, 8, true},
		"a candidate, and one of settings": {FingerprintOf("new"), true, Proof{Wanted: true, Bound: true, Key: 9}, 9, true},
	} {
		if key, ok := r.Prove(c.token, c.candidate, c.want); key.ID != c.key || ok != c.ok {
			t.Errorf("%s: %v %v", name, key.ID, ok)
		}
	}
}

func TestKeysOfTokensAreKeptAndOfOthersTheNewest(t *testing.T) {
	r := provedGrant(keyOf(7, "ES256"))
	for n := range uint32(5) {
		r = r.Hold(n+2, keyOf(Fingerprint(100+n), "ES256"))
	}
	if r.Key(7) == nil || r.Key(104) == nil || r.Key(103) == nil || len(r.Keys) != 3 {
		t.Errorf("%+v", r.Keys)
	}
}

func TestAGrantTakesItsKeyAlong(t *testing.T) {
	from := provedGrant(keyOf(7, "ES256"))
	to := (&Record{Client: "new"}).Carried(from.MoveTo(Moved{Client: "new", Place: "there"}))
	if to.Key(7) == nil || to.KeyOf(FingerprintOf("second")) != 7 {
		t.Errorf("%+v", to)
	}
	if left := from.MoveTo(Moved{Client: "new"}).Stripped(); len(left.Keys) != 0 || left.Pending() {
		t.Errorf("a tombstone has %+v", left.Keys)
	}
}

func TestJoinedRecordsHaveTheKeysOfBoth(t *testing.T) {
	a, b := provedGrant(keyOf(7, "ES256")), provedGrant(keyOf(8, "ES256")).Hold(3, keyOf(7, "ES256"))
	algebra(t, []*Record{a, b, a.Hold(4, keyOf(9, "EdDSA")), new(Record)})
	if m := Merge(a, b); m.Key(7) == nil || m.Key(8) == nil || m.Key(7).Number != 3 {
		t.Errorf("%+v", m.Keys)
	}
	lacking := *a
	lacking.Keys = nil
	if Holds(&lacking, a) {
		t.Error("a record that lacks the key of a living grant is taken for a whole one")
	}
}
