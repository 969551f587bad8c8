// Package kept answers what a record says after an answer that brought something.
//
// It knows answers, records and what was presented. It must not know what is published, nor
// how a record is written.
package kept

import (
	"time"

	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// Attempt is a token request that was answered.
type Attempt struct {
	choice.Choice

	Settings *step.Settings
	Number   uint32
	Seed     string    // of the configuration, "" if there is none
	Sent     time.Time // when the request was written
	Ends     time.Time // when the grant ends by itself after the answer, zero if it does not
	Rotated  bool      // the answer brought another refresh token
}

// Record returns what a record says after the answer. former is the access token of the same
// request that there was, nil if there was none, and same says that the answer repeats it.
func (p *Attempt) Record(rec *record.Record, a *step.Answer, former *record.AccessToken, now time.Time) (after *record.Record, same bool) {
	lineage := record.Fingerprint(0)
	if p.Settings.Rotating {
		brought := record.Token{ObtainedAt: p.Sent, ExpiresAt: p.Ends}
		if p.Rotated {
			brought.RefreshToken = a.RefreshToken
		}
		rec = rec.Answered(p.Number, p.Presented, brought)
		if p.Imported {
			rec = rec.Displace(p.Number, p.Binding, p.Seed)
		}
		lineage = rec.LineageOf(p.Fingerprint())
	}
	if !p.Settings.Rotating {
		rec = rec.Hold(p.Number, p.Key)
	}
	if !p.Settings.Rotating && p.Revived { // it is the configuration's, and not refused any more
		given := p.Presented
		given.Imported = true
		rec = rec.Withdraw(p.Number, given)
	}
	switch {
	case a.Usable():
		same = former != nil && former.AccessToken == a.Access.AccessToken && !p.Revived
		t := a.Access
		t.Request, t.Grant, t.Lineage, t.Number = p.Binding.Request, p.Binding.Grant, lineage, p.Number
		t.ObtainedAt, t.ExpiresAt = p.Sent, p.Sent.Add(a.ExpiresIn)
		if same && a.ExpiresDefaulted != "" && former.ExpiresAt.After(now) {
			// Repeated without a usable lifetime: it still ends when it was to end.
			t.ObtainedAt, t.ExpiresAt = former.ObtainedAt, former.ExpiresAt
		}
		rec = rec.Obtain(t)
	case p.Settings.Drain: // the old access token died, and none came that is of use
		rec = rec.Obtain(record.AccessToken{Request: p.Binding.Request, Grant: p.Binding.Grant, Lineage: lineage, Number: p.Number})
	}
	if a.Usable() && !same || p.Rotated {
		rec = rec.Count()
	}
	return rec, same
}
