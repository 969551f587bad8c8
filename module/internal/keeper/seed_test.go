package keeper

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/store"
)

// supply puts another refresh token where the configuration reads it.
func (r *rig) supply(seed string) string {
	before := r.seed
	r.change(func() { r.seed = seed })
	return before
}

func TestAnUnchangedSeedIsNeverPresentedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = 365 * 24 * time.Hour
		for range 20 {
			p := r.boot()
			p.token()
			p.tick(10 * time.Hour)
			p.kill()
		}
		for i, asked := range r.server.requests() {
			if i > 0 && asked.token == r.seed {
				t.Fatalf("request %d presented the seed again", i)
			}
		}
	})
}

func TestANewSeedWins(t *testing.T) {
	for name, restart := range map[string]bool{"after a restart": true, "while it runs": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				replaced := r.disk.stored().RefreshToken
				time.Sleep(10 * time.Minute)
				fresh := r.server.login()
				r.supply(fresh)
				if restart {
					p.kill()
					p = r.boot()
				}
				p.keeper.Recheck()
				time.Sleep(time.Second)
				r.wantRequests(2)
				if got := r.server.requests()[1].token; got != fresh {
					t.Errorf("presented %q, want the new seed", got)
				}
				rec := r.disk.stored()
				if !rec.KnowsSeed(store.FingerprintOf(replaced)) || !rec.KnowsSeed(store.FingerprintOf(fresh)) {
					t.Error("the replaced token and the new seed are not both known")
				}
				if p.token().Generation != 2 {
					t.Error("the new seed's token is not used")
				}
			})
		})
	}
}

func TestARollbackToAnOldSeedChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(time.Minute)
		old := r.supply(r.server.login())
		p.keeper.Recheck()
		time.Sleep(time.Second)
		r.wantRequests(2)
		r.supply(old)
		p.keeper.Recheck()
		p.tick(30 * time.Minute)
		p.kill()
		p = r.boot()
		p.tick(time.Minute)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}

func TestAMistypedSeedLeavesTheLivingGrantAlone(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(time.Minute)
		living := r.disk.stored().RefreshToken
		r.supply("secret-mistyped")
		p.tick(30 * time.Second)
		p.keeper.Recheck()
		p.tick(30 * time.Second)
		r.wantRequests(2)
		e := p.toldOnce(SeedRefused)
		if e.Remedy == "" || strings.Contains(e.Detail+e.Remedy, "secret-") {
			t.Errorf("event %+v", e)
		}
		if rec := r.disk.stored(); rec.RefreshToken != living || rec.Lost != nil {
			t.Errorf("record %+v, want the living grant", rec)
		}
		r.wantState(p, StateOK, "")
		p.token()
		p.kill()
		p = r.boot()
		p.tick(20 * time.Minute)
		r.wantRequests(2)
		p.tick(10 * time.Hour)
		r.wantState(p, StateOK, "")
		if found := p.told(SeedRefused); len(found) > 0 {
			t.Errorf("told again: %+v", found)
		}
	})
}

func TestALostStateWithAUsedSeedIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.tick(5 * time.Hour)
		p.kill()
		r.disk.remove()
		before := r.server.count()
		p = r.boot()
		p.tick(5 * time.Hour)
		r.wantRequests(before + 1)
		st := r.wantState(p, StateGrantLost, CauseSeedUsed)
		for _, said := range []string{"used before", "state", p.store.Describe("erp")} {
			if !strings.Contains(st.Trouble.Detail, said) {
				t.Errorf("%q does not say %q", st.Trouble.Detail, said)
			}
		}
	})
}

func TestNoSeedAndNoRecordAwaitsAGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		seed := r.supply("")
		p := r.boot()
		p.tick(time.Hour)
		r.wantRequests(0)
		st := r.wantState(p, StateAwaitingGrant, CauseNoGrant)
		if !strings.Contains(st.Trouble.Detail, p.store.Describe("erp")) || st.Trouble.Remedy == "" {
			t.Errorf("trouble %+v", st.Trouble)
		}
		p.toldOnce(Troubled)
		p.unavailableAtOnce()
		r.supply(seed)
		p.tick(15 * time.Second)
		p.token()
		r.wantState(p, StateOK, "")
	})
}

func TestASeedThatIsGoneLeavesTheRecordInForce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		r.supply("")
		p = r.boot()
		p.token()
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestASeedChangedBackWhileItIsAmbiguousDoesNoHarm(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(time.Minute)
		r.server.script(dropAfter(), dropBefore())
		old := r.supply(r.server.login())
		p.tick(16 * time.Second)
		p.keeper.Recheck()
		p.tick(time.Second)
		r.supply(old)
		p.tick(time.Minute)
		r.wantState(p, StateOK, "")
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestTheRecordKnowsManySeeds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		first := r.seed
		for range 20 {
			time.Sleep(2 * time.Second)
			r.supply(r.server.login())
			p.keeper.Recheck()
			time.Sleep(time.Second)
		}
		r.wantRequests(21)
		r.supply(first)
		p.keeper.Recheck()
		p.tick(10 * time.Minute)
		r.wantRequests(21)
	})
}

func TestASeedThatIsTakenBackLeavesNoTrouble(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(time.Minute)
		r.server.always(notSent())
		old := r.supply(r.server.login())
		p.keeper.Recheck()
		time.Sleep(10 * time.Second)
		r.wantState(p, StateBackoff, "unreachable")
		r.supply(old)
		time.Sleep(40 * time.Second)
		r.wantState(p, StateOK, "")
		r.server.heal()
		time.Sleep(10 * time.Minute)
		r.wantRequests(1)
	})
}

func TestABrokenAnswerToANewSeedIsFollowedUp(t *testing.T) {
	for name, edit := range map[string]func(*Settings){"the old token lives": func(*Settings) {}, "it died": drain} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot(edit)
				p.token()
				time.Sleep(time.Minute)
				r.server.script(truncated())
				r.supply(r.server.login())
				p.keeper.Recheck()
				time.Sleep(3 * time.Second)
				r.wantRequests(3)
				r.wantState(p, StateOK, "")
				r.wantUse(p)
			})
		})
	}
}
