package keeper

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
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
				if !rec.KnowsSeed(record.FingerprintOf(replaced)) || !rec.KnowsSeed(record.FingerprintOf(fresh)) {
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
		e := p.toldOnce(finding.SeedRefused)
		if p.saidOf(e).Remedy == "" || strings.Contains(p.saidOf(e).Detail+p.saidOf(e).Remedy, "secret-") {
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
		if found := p.told(finding.SeedRefused); len(found) > 0 {
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
		r.disk.faults(func() { clear(r.disk.claims) }) // the whole directory
		before := r.server.count()
		p = r.boot()
		p.tick(5 * time.Hour)
		r.wantRequests(before + 1)
		st := r.wantState(p, StateGrantLost, finding.CauseSeedUsed)
		for _, said := range []string{"used before", "state", p.store.Describe("erp")} {
			if !strings.Contains(p.said(st.Trouble).Detail, said) {
				t.Errorf("%q does not say %q", p.said(st.Trouble).Detail, said)
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
		st := r.wantState(p, StateAwaitingGrant, finding.CauseNoGrant)
		if !strings.Contains(p.said(st.Trouble).Detail, p.store.Describe("erp")) || p.said(st.Trouble).Remedy == "" {
			t.Errorf("trouble %+v", st.Trouble)
		}
		p.toldOnce(finding.Troubled)
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

// A server that does not know a refresh token may say anything of it.
func TestANewSeedThatNobodyJudgesDoesNotStarveTheLivingGrant(t *testing.T) {
	for name, f := range map[string]fault{
		"it is no request to this server": misconfigured(), "the server fails on it": unavailable(500, 0), "no answer": dropBefore(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot(drain)
				p.token()
				const mistyped = "secret-mistyped"
				r.server.about = map[string]fault{mistyped: f}
				former := r.supply(mistyped)
				p.keeper.Recheck()
				for range 5 * 60 {
					p.tick(time.Minute)
					if began := time.Now(); !r.server.accepts(p.token().AccessToken) || time.Since(began) > 0 {
						t.Fatal("a request had to wait, or met a token that died")
					}
				}
				tried := 0
				for _, q := range r.server.requests() {
					if q.token == mistyped {
						tried++
					}
				}
				if tried < 5*60/6 || tried > 5*60*3 {
					t.Errorf("the new seed was tried %d times in 5 hours", tried)
				}
				failed := p.told(finding.TokenRefreshFailed)
				if last := failed[len(failed)-1]; !strings.Contains(p.saidOf(last).Detail, "new refresh token of the configuration") {
					t.Errorf("event %+v", last)
				}
				if st := p.keeper.Status(); st.Trouble.Cause == "" {
					t.Error("nothing is said of the new seed")
				}
				r.supply(former)
				p.tick(2 * time.Hour)
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestANewSeedThatIsAcceptedLaterReplacesTheLivingGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.supply(r.server.login())
		r.server.about = map[string]fault{r.seed: misconfigured()}
		p.keeper.Recheck()
		p.tick(3 * time.Hour)
		r.wantState(p, StateMisconfigured, "invalid_client")
		r.server.edit(func(s *server) { s.about = nil })
		p.tick(10 * time.Minute)
		r.wantState(p, StateOK, "")
		if rec := r.disk.stored(); !rec.KnowsSeed(record.FingerprintOf(r.seed)) {
			t.Error("the new seed did not win")
		}
	})
}

func TestAnImportThatNobodyJudgesIsReportedAndForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		const mistyped = "secret-mistyped"
		r.server.about = map[string]fault{mistyped: misconfigured()}
		for range 2 { // it may be made again
			res, err := p.keeper.Import(t.Context(), mistyped, false)
			if err != nil || res.Obtained || res.Kept || !strings.Contains(p.said(res.Trouble).Detail, "that an import or a log-in brought") {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		if rec := r.disk.stored(); rec.Imported != "" {
			t.Error("it would be tried again, after a restart too")
		}
		res, err := p.keeper.Refresh(t.Context(), false)
		if err != nil || !res.Obtained {
			t.Errorf("%+v, %v", res, err)
		}
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAnImportDuringAnOutageIsTriedAgainBesideTheLivingGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		imported := r.server.login()
		r.server.about = map[string]fault{imported: unavailable(503, 0)}
		if res, err := p.keeper.Import(t.Context(), imported, false); err != nil || res.Obtained || !res.Kept {
			t.Fatalf("%+v, %v", res, err)
		}
		for range 3 * 60 {
			p.tick(time.Minute)
			p.token()
		}
		if got := r.disk.stored().Imported; got != imported {
			t.Fatal("the import is forgotten")
		}
		p.kill()
		p = r.boot()
		p.tick(time.Minute)
		r.server.edit(func(s *server) { s.about = nil })
		p.tick(2 * time.Minute)
		r.wantState(p, StateOK, "")
		if rec := r.disk.stored(); rec.Imported != "" || !rec.KnowsSeed(record.FingerprintOf(imported)) {
			t.Error("the import did not win")
		}
	})
}

func TestANewSeedThatIsTakenBackLeavesNoTroubleWhateverWasSaidOfIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.about = map[string]fault{"secret-mistyped": misconfigured()}
		former := r.supply("secret-mistyped")
		p.keeper.Recheck()
		p.tick(10 * time.Second)
		r.wantState(p, StateMisconfigured, "invalid_client")
		if v := p.keeper.Unauthorized(t.Context(), token, time.Second); v != Renewed {
			t.Errorf("verdict %d, want a refresh of the living grant", v)
		}
		r.supply(former)
		p.keeper.Recheck()
		p.tick(10 * time.Second)
		r.wantState(p, StateOK, "")
	})
}
