package keeper

import (
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// remembering is the ledger of a machine that knows that a refresh token was spent here.
func remembering(token string) func(*Settings) {
	return func(s *Settings) {
		s.Elsewhere = func(f, _ record.Fingerprint, _ bool) *Owner {
			if f != record.FingerprintOf(token) {
				return nil
			}
			return &Owner{Client: "erp", Place: "/data/erp.json", Own: true}
		}
	}
}

// A refresh token that a record has spent is not presented because the record is gone,
// nor by the start after one that was killed at any point.
func TestAKillWhileARecordIsMissingSpendsNothing(t *testing.T) {
	for _, point := range []string{"", "before-journal", "after-journal", "before-save", "after-save"} {
		for known, edit := range map[string]func(*Settings){"claims": func(*Settings) {}, "ledger": nil} {
			t.Run(known+" "+point, func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					if edit == nil {
						edit = remembering(r.seed)
					}
					p := r.boot()
					p.token()
					kept := r.disk.stored()
					p.kill()
					r.disk.remove()
					if known == "ledger" {
						r.disk.faults(func() { clear(r.disk.claims) })
					}
					r.killAt(point)
					r.boot(edit).tick(time.Minute)
					r.killAt("")
					p = r.boot(edit)
					p.tick(10 * time.Minute)
					r.wantState(p, StateMisconfigured, finding.CauseMissing)
					r.wantRequests(1)

					r.disk.replace(func(rec *stored) { *rec = kept })
					p.keeper.Recheck()
					synctest.Wait()
					r.wantState(p, StateOK, "")
					r.wantRequests(1)
				})
			})
		}
	}
}

// The record that is back is older than the first answer: what the ledger knows speaks
// against the refresh token, and what nobody knows does not.
func TestARecordThatIsOlderThanItsFirstAnswerSpendsNothing(t *testing.T) {
	for _, spent := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *rig) {
			var journaled stored
			r.server.script(dropBefore())
			p := r.boot()
			time.Sleep(100 * time.Millisecond)
			journaled = r.disk.stored()
			if journaled.Attempt == nil {
				t.Fatal("no attempt is open")
			}
			p.token()
			requests := r.server.count()
			p.kill()
			r.disk.replace(func(rec *stored) { *rec = journaled })
			if !spent {
				r.server.grace = time.Hour
				r.boot().token()
				return
			}
			p = r.boot(remembering(r.seed))
			p.tick(time.Minute)
			r.wantState(p, StateMisconfigured, finding.CauseMissing)
			r.wantRequests(requests)
		})
	}
}
