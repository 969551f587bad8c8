package keeper

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// lose lets the server refuse the grant at the next refresh, and the token
// expire.
func (r *rig) lose(p *machine) {
	p.token()
	r.server.revoke(r.server.current(r.seed))
	p.tick(61 * time.Minute)
}

func TestARefusedGrantIsLostForGood(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		presented := r.disk.stored().RefreshToken
		r.lose(p)
		r.wantRequests(2)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		rec := r.disk.stored()
		if l := rec.Lost; l == nil || l.Cause != finding.CauseRefused || l.At.IsZero() || l.Detail == "" ||
			l.RefreshToken != record.FingerprintOf(presented) || rec.Attempt != nil {
			t.Errorf("record %+v", rec)
		}
		p.toldOnce(finding.GrantLost)
		p.tick(time.Hour)
		r.wantRequests(2)

		p.kill()
		p = r.boot()
		p.tick(time.Hour)
		r.wantRequests(2)
		st := r.wantState(p, StateGrantLost, finding.CauseRefused)
		if st.Trouble.At != rec.Lost.At.UnixNano() || p.said(st.Trouble).Remedy == "" || st.Planned {
			t.Errorf("status %+v", st)
		}
		p.toldOnce(finding.GrantLost)
	})
}

// TestTheRemedyOfALossIsOneThatWorks: a client without rotation takes no import.
func TestTheRemedyOfALossIsOneThatWorks(t *testing.T) {
	for _, tt := range []struct {
		says, not string
		edits     []func(*Settings)
	}{
		{"tokens login erp", "<client>", nil},
		{"where the refresh_token setting reads it", "tokens", []func(*Settings){cacheOnly}},
	} {
		bubble(t, func(t *testing.T, r *rig) {
			p := r.boot(tt.edits...)
			r.lose(p)
			st := r.wantState(p, StateGrantLost, finding.CauseRefused)
			if remedy := p.said(st.Trouble).Remedy; !strings.Contains(remedy, tt.says) || strings.Contains(remedy, tt.not) {
				t.Errorf("the remedy is %q", remedy)
			}
		})
	}
}

func TestALostGrantIsAnsweredAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		r.lose(p)
		if u := p.unavailableAtOnce(); u.Trouble.Cause != finding.CauseRefused || u.RetryAfter < time.Second {
			t.Errorf("got %+v", u)
		}
	})
}

func TestANewSeedEndsALossWithoutARestart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		r.lose(p)
		old := r.disk.stored()
		r.change(func() { r.seed = r.server.login() })
		p.tick(15 * time.Second)
		p.token()
		r.wantState(p, StateOK, "")
		r.wantRequests(3)
		rec := r.disk.stored()
		if rec.Lost != nil || rec.Generation != old.Generation+1 {
			t.Errorf("record %+v", rec)
		}
		for _, spent := range []string{old.RefreshToken, r.seed} {
			if !rec.KnowsSeed(record.FingerprintOf(spent)) {
				t.Errorf("%q is not known to be spent", spent)
			}
		}
		p.tick(24 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAValidTokenOutlivesItsGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.revoke(r.server.current(r.seed))
		time.Sleep(50 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		p.token()
		p.kill()
		p = r.boot()
		p.token()
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		time.Sleep(11 * time.Minute)
		p.unavailableAtOnce()
	})
}

func TestTheStoreIsReadBeforeARefusalIsBelieved(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.script(fault{during: func() { // somebody who ignores the lease
			a := r.server.act(p, r.disk.stored().RefreshToken)
			r.disk.replace(func(rec *stored) {
				rec.Generation++
				rec.RefreshToken, rec.Attempt = a.RefreshToken, nil
				rec.Token = &record.AccessToken{AccessToken: a.AccessToken, ObtainedAt: r.wall(), ExpiresAt: r.wall().Add(time.Hour)}
			})
		}})
		time.Sleep(45 * time.Minute)
		r.wantState(p, StateOK, "")
		if token := p.token(); token.Generation != 2 {
			t.Errorf("got %+v, want theirs", token)
		}
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestALossThatCannotBeWrittenIsNotForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		r.lose(p)
		p.tick(2 * time.Hour)
		r.wantRequests(2)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		p.toldOnce(finding.StoreFailed)
		r.disk.acceptSaves()
		p.tick(time.Minute)
		synctest.Wait()
		if r.disk.stored().Lost == nil {
			t.Error("the loss was not written")
		}
		p.kill()
		p = r.boot()
		p.tick(time.Hour)
		r.wantRequests(2)
		p.unavailableAtOnce()
	})
}
