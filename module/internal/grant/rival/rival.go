// Package rival answers until when a refresh token is left to another holder, who has
// presented it and whose answer may come. Where replicas share the store, a lease may end
// while its holder lives: paused, or cut off with an answer in its memory.
//
// It knows attempts, as records have them. It must not know what else is under way here.
package rival

import (
	"strings"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Rival is the attempt of another holder whose answer may come. The zero value is none.
type Rival struct {
	ID    string
	Until int64 // when it is awaited no longer; monotonic
	Look  int64 // when the record is read again if a request waits, 0 if it is over
	Probe int64 // when its lease is looked at again: only what was seen to rest is over
	Fresh bool  // it has begun just now, and is no repetition
}

const (
	// LookPause is the least time between two looks at the record that others may write.
	LookPause = time.Second

	// freshAttempt is how old another holder's attempt may be that requests are held for.
	freshAttempt = 5 * time.Second

	// doubtNotice is what another replica is given to write what it believes by then.
	doubtNotice = 2 * time.Second
)

// Attempt returns the attempt of another holder with a refresh token whose outcome nobody
// knows, nil if there is none. Where a lease ends with its holder, that is dead; and one who
// has noted a pause after the attempt has not heard an answer, and listens no more. own
// begins the names of our attempts.
func Attempt(rec *record.Record, set *step.Settings, own string, token record.Fingerprint) *record.Attempt {
	open := rec.Open(token)
	if open == nil || set == nil || set.Lease == 0 || strings.HasPrefix(open.ID, own) {
		return nil
	}
	if p := rec.Paused; p != nil && p.Number == open.Number && p.Cause != finding.CauseResponseLost {
		return nil
	}
	return open
}

// Before reports whether another holder presented a refresh token before our own attempt, which
// nobody has answered either: the answer to the first one may come yet.
func Before(rec *record.Record, set *step.Settings, own string, token record.Fingerprint) bool {
	open := rec.Open(token)
	return open != nil && set != nil && set.Lease > 0 && open.UnansweredBy != "" && !strings.HasPrefix(open.UnansweredBy, own)
}

// Forgiven reports whether the server forgives a repetition for longer than a lease lasts.
func Forgiven(set *step.Settings) bool { return set.ReuseGrace > set.Lease }

// Meet takes note of an attempt. An answer to it is awaited until its timeout ends or, where
// the server forgives a repetition for long enough, its lease.
func (r *Rival) Meet(open *record.Attempt, rec *record.Record, set *step.Settings, now when.Now) {
	if r.ID != open.ID {
		length := set.Timeout
		if Forgiven(set) {
			length = set.Lease
		}
		age := time.Duration(max(0, now.Wall-when.Wall(open.At)))
		*r = Rival{
			ID: open.ID, Until: now.Mono + int64(max(0, length-age)), Probe: now.Mono + int64(LookPause),
			Fresh: age < freshAttempt && open.Unanswered.IsZero(),
		}
		r.Looked(now)
	}
	if until := doubted(rec, open, now); until > r.Until {
		r.Until, r.Fresh = until, false
		r.Looked(now)
	}
}

// doubted is until when another holder's refusal is in doubt, 0 if it is not.
func doubted(rec *record.Record, open *record.Attempt, now when.Now) int64 {
	p := rec.Paused
	if p == nil || p.Number != open.Number {
		return 0
	}
	return when.FromWall(p.Until, now).Mono + int64(doubtNotice)
}

// Looked notes that the record is read.
func (r *Rival) Looked(now when.Now) {
	if r.Look = now.Mono + int64(LookPause); now.Mono >= r.Until {
		r.Look = 0
	}
}

// Probes reports whether it is time to look at the lease of the other holder.
func (r *Rival) Probes(now when.Now) bool {
	return r.Look != 0 && now.Mono >= r.Probe && now.Mono < r.Until
}
