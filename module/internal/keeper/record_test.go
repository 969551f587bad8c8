package keeper

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

func TestARecordThatCannotBeReadBlocksAndIsNoReasonForTheSeed(t *testing.T) {
	for name, why := range map[string]string{"damaged": "checksum mismatch", "from the future": "version 99 is newer than this program"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				p.kill()
				p = r.newProcess()
				place := p.store.Describe("erp")
				r.disk.refuseLoads(fmt.Errorf("%s: %s: %w", place, why, recordstore.ErrUnreadable))
				p.start()
				p.tick(5 * time.Hour)
				r.wantRequests(1)
				st := r.wantState(p, StateMisconfigured, finding.CauseRecord)
				if !strings.Contains(p.said(st.Trouble).Detail, place) || !strings.Contains(p.said(st.Trouble).Remedy, place) {
					t.Errorf("the file is not named: %+v", st.Trouble)
				}
				p.toldOnce(finding.Troubled)
				p.unavailableAtOnce()
				r.disk.refuseLoads(nil) // restored
				p.tick(6 * time.Minute)
				p.token()
				r.wantRequests(2)
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestARecordThatCanBeReadAgainIsNoTroubleAnyMore(t *testing.T) {
	for name, err := range map[string]error{"broken": errBroken, "newer": fmt.Errorf("%w: %w", recordstore.ErrUnreadable, recordstore.ErrNewer)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				r.disk.refuseLoads(err)
				p.keeper.Recheck()
				time.Sleep(time.Second)
				if st := p.keeper.Status(); st.State == StateOK || p.said(st.Trouble).Remedy == "" {
					t.Errorf("status %+v, want trouble", st)
				}
				r.disk.refuseLoads(nil)
				time.Sleep(6 * time.Minute)
				r.wantState(p, StateOK, "")
				r.wantRequests(1)
			})
		})
	}
}

func TestALostGrantThatCouldNotBeReadOnceStillTakesANewSeed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.revoke(r.server.current(r.seed))
		time.Sleep(41 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		r.disk.refuseLoads(errBroken)
		p.tick(time.Minute)
		r.disk.refuseLoads(nil)
		p.tick(time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		r.supply(r.server.login())
		p.tick(time.Minute)
		r.wantState(p, StateOK, "")
	})
}

func TestARecordDeletedWhileWeRunIsWrittenAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.remove()
		p.keeper.Recheck()
		time.Sleep(time.Minute)
		r.wantRequests(1)
		p.token()
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
		if rec := r.disk.stored(); rec.RefreshToken != r.server.current(r.seed) || !rec.KnowsSeed(record.FingerprintOf(r.seed)) {
			t.Errorf("record %+v", rec)
		}
	})
}

func TestABackupRestoredWhileWeRunIsOverwritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		backup := r.disk.stored()
		p.tick(5 * time.Hour)
		r.disk.replace(func(rec *stored) { *rec = backup })
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
		if rec := r.disk.stored(); rec.RefreshToken != r.server.current(r.seed) {
			t.Errorf("record %+v", rec)
		}
	})
}

func TestAnAnswerWinsOverARecordThatWasEditedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.script(fault{during: func() {
			r.disk.replace(func(rec *stored) { rec.Attempt = nil })
		}})
		time.Sleep(41 * time.Minute)
		if rec := r.disk.stored(); rec.RefreshToken != r.server.current(r.seed) || p.keeper.Status().Unsaved {
			t.Errorf("record %+v, want the answer's", rec)
		}
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestARecordThatIsRemovedIsWrittenAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.remove()
		p.keeper.Recheck() // as Watch has it
		p.tick(20 * time.Minute)
		p.kill()
		p = r.boot()
		p.tick(time.Minute)
		r.wantState(p, StateOK, "")
		r.wantRequests(1)
	})
}

func TestARecordOfALostGrantThatIsRemovedStaysAway(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.always(refuses())
		time.Sleep(41 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		r.disk.remove()
		p.tick(20 * time.Minute)
		if r.disk.exists {
			t.Error("it is there again, and would stop a fresh start")
		}
	})
}

// A record that is encrypted for another key is whole, and may be newer than what is in
// memory.
func TestARecordWithoutItsKeyWaitsForTheKey(t *testing.T) {
	for name, running := range map[string]bool{"running": true, "freshly started": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				if !running {
					p.kill()
					p = r.newProcess()
				}
				r.disk.refuseLoads(fmt.Errorf("%w: %w", recordstore.ErrUnreadable, recordstore.Foreign(recordstore.ErrSealed)))
				if !running {
					p.start()
				}
				p.tick(5 * time.Hour)
				r.wantRequests(1)
				st := r.wantState(p, StateMisconfigured, finding.CauseRecord)
				if remedy := p.said(st.Trouble).Remedy; !strings.Contains(remedy, "encryption_key") || strings.Contains(remedy, "memory") || strings.Contains(remedy, "supply") {
					t.Errorf("remedy: %s", remedy)
				}
				r.disk.refuseLoads(nil)
				p.tick(6 * time.Minute)
				p.token()
			})
		})
	}
}
