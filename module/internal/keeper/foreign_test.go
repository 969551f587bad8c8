package keeper

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// anothers makes a refresh token that of client crm in another store.
func anothers(token string) func(*Settings) {
	return func(s *Settings) {
		s.Elsewhere = func(f, _ record.Fingerprint, _ bool) *Owner {
			if f != record.FingerprintOf(token) {
				return nil
			}
			return &Owner{Client: "crm", Place: "/elsewhere/crm.json", Store: "/elsewhere"}
		}
	}
}

func TestAForeignSeedBesideALivingGrantIsShownUntilItIsPutRight(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		own := r.seed
		p := r.boot(anothers("another's"))
		p.token()
		r.supply("another's")
		p.keeper.Recheck()
		p.tick(time.Minute)
		told := p.saidOf(p.toldOnce(finding.SeedRefused))
		st := r.wantState(p, StateOK, finding.CauseSeedTaken)
		if said := p.said(st.Trouble); said != told || !strings.Contains(said.Detail, "/elsewhere/crm.json") || strings.Contains(said.Remedy, "tokens rename") {
			t.Errorf("shown: %+v, told: %+v", said, told)
		}
		if st.Token != "valid" || r.presented("another's") != 0 {
			t.Errorf("status %+v", st)
		}
		r.server.always(notSent())
		p.tick(2 * time.Hour)
		if u := p.unavailable(); u.Trouble.Cause == finding.CauseSeedTaken {
			t.Errorf("it is not why there is no token: %+v", u.Trouble)
		}
		r.server.heal()
		p.tick(time.Minute)
		r.wantState(p, StateOK, finding.CauseSeedTaken)
		r.supply(own)
		p.keeper.Recheck()
		r.wantState(p, StateOK, "")
	})
}

func TestAForeignSeedThatAnImportDisplacedIsNotShown(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot(anothers("another's"))
		p.token()
		r.supply("another's")
		p.keeper.Recheck()
		p.tick(time.Minute)
		r.wantState(p, StateOK, finding.CauseSeedTaken)
		if res := p.imports(r.server.login()); !res.Obtained || res.Trouble.Cause != "" {
			t.Errorf("%+v", res)
		}
		r.wantState(p, StateOK, "")
	})
}
