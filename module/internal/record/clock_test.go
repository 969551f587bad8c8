package record

import (
	"testing"
	"time"
)

// A record goes from one machine to another by a store that knows how old it is: no
// clock of the two machines matters.
func TestTheClockOfWhoeverReadsARecordTellsItsTimes(t *testing.T) {
	for name, slow := range map[string]time.Duration{"slow": -10 * time.Minute, "fast": 10 * time.Minute, "right": 0} {
		t.Run(name, func(t *testing.T) {
			r := new(Record).Journal(Attempt{Number: 1, ID: "p-1", At: moment}, Presented{RefreshToken: "a"})
			r = r.Obtain(AccessToken{Number: 1, AccessToken: "a", ObtainedAt: moment, ExpiresAt: moment.Add(time.Hour)})
			r = r.Rest(Pause{Number: 2, Until: moment.Add(time.Minute)})
			r.Written = moment
			before := content(t, r)
			here := r.Received(20*time.Minute, moment.Add(slow+20*time.Minute))
			a := here.AccessTokens[0]
			for what, at := range map[string][2]time.Time{
				"token":   {a.ExpiresAt, moment.Add(slow + time.Hour)},
				"attempt": {here.Attempts[0].At, moment.Add(slow)},
				"pause":   {here.Paused.Until, moment.Add(slow + time.Minute)},
				"write":   {here.Written, moment.Add(slow)},
			} {
				if !at[0].Equal(at[1]) {
					t.Errorf("%s at %v, want %v", what, at[0], at[1])
				}
			}
			if !here.Paused.RetryAfter.IsZero() {
				t.Error("a time that nobody set is one")
			}
			if content(t, r) != before {
				t.Error("what others may have was written to")
			}
			if again := here.Received(20*time.Minute, moment.Add(slow+20*time.Minute)); again != here {
				t.Error("what has the times of here was moved")
			}
		})
	}
}

func TestARecordWhoseAgeNobodyKnowsStaysAsItIs(t *testing.T) {
	r := &Record{Written: moment}
	if r.Received(-1, moment.Add(time.Hour)) != r || new(Record).Received(0, moment).Written != (time.Time{}) {
		t.Error("it was moved")
	}
}
