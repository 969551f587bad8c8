package record

import (
	"cmp"
	"time"
)

// Pause says how long nobody is to ask the authorization server after an attempt that
// failed, so that those who share the record ask no more often than one would.
type Pause struct {
	// Number is that of the attempt. A later answer ends the pause.
	Number uint32 `json:"number"`

	// Failures counts the attempts that have failed since the last success.
	Failures uint8 `json:"failures"`

	// Until is when the next attempt may be made.
	Until time.Time `json:"until"`

	// RetryAfter is until when the server itself asked to wait, zero if it did not.
	RetryAfter time.Time `json:"retry_after,omitzero"`

	// Cause is why the attempt failed, a short word.
	Cause string `json:"cause"`
}

// Rest notes a pause.
func (r *Record) Rest(p Pause) *Record {
	p.Until, p.RetryAfter = rounded(p.Until), rounded(p.RetryAfter)
	return r.with(&Record{Paused: &p})
}

// Pause returns the pause that no answer has ended yet, nil if there is none. Whether it
// is over is for who knows the time.
func (r *Record) Pause() *Pause {
	if r.Paused == nil {
		return nil
	}
	for i := range r.AccessTokens {
		if r.AccessTokens[i].Number >= r.Paused.Number {
			return nil
		}
	}
	return r.Paused
}

// latestPause is the one of the later attempt.
func latestPause(a, b *Pause) *Pause {
	switch {
	case a == nil:
		return b
	case b == nil || comparePauses(*a, *b) >= 0:
		return a
	}
	return b
}

func comparePauses(a, b Pause) int {
	return compare(a, b, cmp.Compare(a.Number, b.Number), a.Until.Compare(b.Until))
}
