package keeper

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// A process is killed at every point of a refresh, and another one started.
func TestAKillAtAnyPointIsSafe(t *testing.T) {
	for _, test := range []struct {
		point    string
		grace    time.Duration
		requests int // after the first token
		lost     bool
	}{
		{"before-journal", 0, 1, false},
		{"after-journal", 0, 1, false},
		{"before-send", 0, 1, false},
		{"sent", 0, 2, true},
		{"answered", 0, 2, true},
		{"before-save", 0, 2, true},
		{"after-save", 0, 1, false},
		{"sent", time.Minute, 2, false},
		{"answered", time.Minute, 2, false},
		{"before-save", time.Minute, 2, false},
	} {
		t.Run(test.point+", grace "+test.grace.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.random = func() float64 { return 0 }
				r.server.grace = test.grace
				first := r.boot()
				first.token()
				r.killAt(test.point)
				time.Sleep(40*time.Minute + time.Second)
				if !first.dead.Load() {
					t.Fatal("the process was not killed")
				}
				p := r.boot()
				p.tick(time.Minute)
				p.token() // the old one still, or the new one
				r.wantRequests(1 + test.requests)
				if !test.lost {
					r.wantState(p, StateOK, "")
					p.tick(10 * time.Hour)
					r.wantState(p, StateOK, "")
					return
				}
				st := r.wantState(p, StateGrantLost, finding.CauseResponseLost)
				if !strings.Contains(p.said(st.Trouble).Detail, "crash") {
					t.Errorf("the crash is not named: %q", p.said(st.Trouble).Detail)
				}
				p.tick(10 * time.Hour)
				r.wantRequests(1 + test.requests)
			})
		})
	}
}

func TestAJournalWithoutAnAnswerIsReplayedOnceAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.killAt("sent")
		r.boot()
		time.Sleep(time.Minute)
		open := r.disk.stored().Attempt
		if open == nil || open.RefreshToken != record.FingerprintOf(r.seed) {
			t.Fatalf("journal %+v", open)
		}
		p := r.boot()
		p.tick(2 * time.Hour)
		r.wantRequests(2)
		r.wantState(p, StateGrantLost, finding.CauseResponseLost)
	})
}

func TestARecordFromABackupIsReplayedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		backup := r.disk.stored()
		p.tick(5 * time.Hour)
		p.kill()
		r.disk.replace(func(rec *stored) { *rec = backup })
		before := r.server.count()
		p = r.boot()
		p.tick(10 * time.Hour)
		r.wantRequests(before + 1)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
	})
}
