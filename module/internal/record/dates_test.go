package record

import (
	"testing"
	"time"
)

func TestAnAbsurdDateDoesNotKeepATokenFromBeingSaved(t *testing.T) {
	for _, at := range []time.Time{
		time.Unix(1<<55, 0), time.Unix(-1<<55, 0),
		{},
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("far", 30*3600)),
	} {
		// By members, not by changes: those may round dates as well.
		r := &Record{
			Client: "erp", Revision: 1, Written: at, Paused: &Pause{Number: 1, Until: at, RetryAfter: at},
			Lineages: []Lineage{{
				ID: FingerprintOf("seed"), Since: 1,
				Tokens: []Token{{RefreshToken: "rt", Fingerprint: FingerprintOf("rt"), Number: 1, Said: Held, ObtainedAt: at, ExpiresAt: at, MovedAt: at}},
				Loss:   &Loss{Number: 1, Cause: "refused", At: at, Unanswered: at, EndedAt: at},
			}},
			Attempts:     []Attempt{{Number: 2, ID: "p-1", Fingerprint: FingerprintOf("rt"), At: at, Unanswered: at}},
			AccessTokens: []AccessToken{{Number: 1, AccessToken: "at", ObtainedAt: at, ExpiresAt: at}},
		}
		data, err := r.Encode()
		if err != nil {
			t.Errorf("%v: %v", at, err)
			continue
		}
		if !r.Lineages[0].Tokens[0].ExpiresAt.Equal(at) || !r.Attempts[0].At.Equal(at) || !r.Lineages[0].Loss.At.Equal(at) {
			t.Errorf("%v: encoding changed the record", at)
		}
		got, err := Decode(data, Format)
		if err != nil {
			t.Errorf("%v: %v", at, err)
			continue
		}
		if c := got.Current(0); c == nil || c.RefreshToken != "rt" || got.AccessTokens[0].AccessToken != "at" {
			t.Errorf("%v: got %s", at, data)
		}
	}
}
