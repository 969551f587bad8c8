package keeper

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

func (p *machine) refresh(force bool) Result {
	p.rig.Helper()
	r, err := p.keeper.Refresh(p.rig.Context(), force)
	if err != nil {
		p.rig.Error(err)
	}
	return r
}

func (p *machine) imports(token string) Result {
	p.rig.Helper()
	r, err := p.keeper.Import(p.rig.Context(), token, false)
	if err != nil {
		p.rig.Fatal(err)
	}
	noSecret(p.rig.T, p.said(r.Trouble).Detail, p.said(r.Trouble).Remedy)
	return r
}

func (r *rig) wantObtained(res Result) {
	r.Helper()
	if !res.Obtained || res.Trouble.Cause != "" || res.Status.Token != "valid" || res.Status.State != StateOK {
		r.Fatalf("result %+v, want a token", res)
	}
}

func (r *rig) wantRefused(res Result, cause string) {
	r.Helper()
	if res.Obtained || res.Trouble.Cause != cause || r.processes[0].said(res.Trouble).Remedy == "" || r.processes[0].said(res.Trouble).Detail == "" {
		r.Fatalf("result %+v, want cause %s", res, cause)
	}
}

func TestAnOrderedRefreshWaitsForTheNewToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot(func(s *Settings) { s.MinRefreshInterval = time.Hour })
		p.token()
		r.wantObtained(p.refresh(false))
		r.wantRequests(2)
		if got := p.token().Generation; got != 2 {
			t.Errorf("generation %d, want 2", got)
		}
		if first := r.disk.stored(); first.Attempt != nil || first.RefreshToken != r.server.current(r.seed) {
			t.Errorf("the record is %+v", first)
		}
	})
}

func TestAnOrderedRefreshIgnoresTheBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(unavailable(503, 0), unavailable(503, 0), unavailable(503, 0), unavailable(503, 0))
		p := r.boot()
		time.Sleep(9 * time.Second) // the fourth request comes after 7 s, the fifth after 15 s
		r.wantRequests(4)
		r.wantObtained(p.refresh(false))
		r.wantRequests(5)
	})
}

func TestAnOrderedRefreshHonoursRetryAfterUnlessForced(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(unavailable(429, time.Hour))
		p := r.boot()
		synctest.Wait()
		time.Sleep(time.Minute)
		res := p.refresh(false)
		r.wantRefused(res, finding.CauseRetryAfter)
		if !strings.Contains(p.said(res.Trouble).Detail, "59m0s") {
			t.Errorf("the detail %q does not say how long", p.said(res.Trouble).Detail)
		}
		r.wantRequests(1)
		r.wantObtained(p.refresh(true))
		r.wantRequests(2)
	})
}

func TestAnOrderedRefreshThatFailsIsNotRepeatedWhileTheTokenIsGood(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.always(unavailable(429, 0))
		r.wantRefused(p.refresh(false), "server_error")
		p.tick(10 * time.Minute)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
		if p.token().Generation != 1 {
			t.Error("the token that is still good is not used")
		}
	})
}

func TestAnOrderedRefreshWithoutAnAnswerIsRepeatedUntilThereIsOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.script(dropBefore())
		r.wantRefused(p.refresh(false), "no_answer")
		time.Sleep(3 * time.Second)
		r.wantRequests(3)
		r.wantState(p, StateOK, "")
	})
}

func TestAnOrderJoinsTheRefreshThatRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.edit(func(s *server) { s.latency = 5 * time.Second })
		first := make(chan Result, 1)
		go func() { first <- p.refresh(false) }()
		time.Sleep(time.Second)
		r.wantObtained(p.refresh(false))
		r.wantObtained(<-first)
		r.wantRequests(2)
		p.keeper.mu.Lock()
		defer p.keeper.mu.Unlock()
		if p.keeper.orders != nil {
			t.Errorf("%d orders are left, in a map", len(p.keeper.orders))
		}
	})
}

// Whoever imported the token that had begun a lost grant was told of the server's refusal, of
// another one, and nothing was sent.
func TestAnImportOfASpentTokenIsRefusedForThatWhateverTheClientsState(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		seed := r.seed
		p := r.boot()
		p.token()
		r.wantRefused(p.imports(seed), finding.CauseSeedUsed)
		r.server.script(refuses())
		p.tick(2 * time.Hour)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		requests := r.server.count()
		r.wantRefused(p.imports(seed), finding.CauseSeedUsed)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		r.wantRequests(requests)
	})
}

func TestALostGrantIsPresentedOnceMoreWhenOrdered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.script(refuses())
		p.tick(2 * time.Hour)
		lost := r.wantState(p, StateGrantLost, finding.CauseRefused)
		r.wantRequests(2)

		r.server.script(refuses())
		r.wantRefused(p.refresh(false), finding.CauseRefused)
		r.wantRequests(3)
		p.tick(2 * time.Hour)
		r.wantRequests(3)
		if st := r.wantState(p, StateGrantLost, finding.CauseRefused); st.Trouble.At != lost.Trouble.At {
			t.Errorf("lost at %v, want still %v", st.Trouble.At, lost.Trouble.At)
		}
		if got := len(p.told(finding.GrantLost)); got != 2 {
			t.Errorf("%d events tell that the grant is lost, want one for each refusal", got)
		}

		r.server.heal()
		r.wantObtained(p.refresh(false))
		r.wantRequests(4)
		p.kill()
		p = r.boot()
		if p.token().Generation != 2 {
			t.Error("the revived grant is lost again after a restart")
		}
		r.wantRequests(4)
	})
}

func TestARevivedGrantIsSeenByOtherHolders(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.reuses = true
		one, two := r.boot(), r.boot()
		one.token()
		r.server.script(refuses())
		one.tick(2 * time.Hour)
		two.keeper.Recheck()
		r.wantState(one, StateGrantLost, finding.CauseRefused)
		r.wantState(two, StateGrantLost, finding.CauseRefused)
		r.wantObtained(one.refresh(false))
		two.keeper.Recheck()
		r.wantState(two, StateOK, "")
		if two.token().Generation != 2 {
			t.Error("the other holder does not use the new token")
		}
		r.wantRequests(3)
	})
}

func TestALostGrantIsPresentedOnlyOnceWhateverTheAnswer(t *testing.T) {
	for name, f := range map[string]fault{"none": dropBefore(), "503": unavailable(503, 0), "429": unavailable(429, time.Minute), "not sent": notSent()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				r.server.script(refuses())
				p.tick(2 * time.Hour)
				r.server.script(f)
				if res := p.refresh(false); res.Obtained || res.Trouble.Condition != finding.Backoff {
					t.Fatalf("result %+v", res)
				}
				before := r.server.count()
				p.tick(2 * time.Hour)
				r.wantRequests(before)
				r.wantState(p, StateGrantLost, finding.CauseRefused)
				p.kill()
				p = r.boot()
				r.wantState(p, StateGrantLost, finding.CauseRefused)
				r.wantRequests(before)
			})
		})
	}
}

func TestALostGrantIsNotPresentedToAnotherServer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.script(refuses())
		p.tick(2 * time.Hour)
		r.change(func() { r.binding.Grant = 77 })
		r.wantRefused(p.refresh(true), finding.CauseRebound)
		r.wantRequests(2)
	})
}

func TestAnImportCuresALostGrantWithoutARestart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.script(refuses())
		p.tick(2 * time.Hour)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		fresh := r.server.login()
		r.wantObtained(p.imports(fresh))
		r.wantRequests(3)
		if got := r.server.requests()[2].token; got != fresh {
			t.Errorf("presented %q, want the imported token", got)
		}
		p.kill()
		p = r.boot()
		p.tick(time.Hour)
		r.wantState(p, StateOK, "")
		if got := r.server.requests()[3].token; got == r.seed {
			t.Error("the seed of the configuration was presented again")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.events {
			noSecret(t, p.saidOf(e).Detail, p.saidOf(e).Remedy)
		}
	})
}

func TestAnImportFillsAClientThatHasNoGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		fresh := r.supply("")
		p := r.boot()
		r.wantState(p, StateAwaitingGrant, finding.CauseNoGrant)
		r.wantRefused(p.refresh(false), finding.CauseNoGrant)
		r.wantObtained(p.imports(fresh))
		r.wantRequests(1)
	})
}

func TestALogInIsToldApartFromAnImport(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		fresh := r.supply("")
		p := r.boot()
		r.wantState(p, StateAwaitingGrant, finding.CauseNoGrant)
		res, err := p.keeper.LoggedIn(t.Context(), fresh, nil)
		if err != nil || !res.Obtained {
			t.Fatalf("%+v, %v", res, err)
		}
		p.toldOnce(finding.LoginOrdered)
		if told := p.told(finding.ImportOrdered); len(told) > 0 {
			t.Errorf("an import is told of: %+v", told)
		}
	})
}

func TestARefusedImportLeavesTheLivingGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		held := r.disk.stored().RefreshToken
		r.wantRefused(p.imports("secret-forged"), finding.CauseSeedUsed)
		r.wantState(p, StateOK, "")
		if got := r.disk.stored(); got.RefreshToken != held || got.Imported != "" {
			t.Errorf("the record is %+v", got)
		}
		r.wantObtained(p.refresh(false))
		if got := r.server.requests()[2].token; got != held {
			t.Errorf("presented %q, want the token held before", got)
		}
		p.toldOnce(finding.SeedRefused)
	})
}

func TestAnImportOfAUsedTokenIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.wantRefused(p.imports(r.seed), finding.CauseSeedUsed)
		r.wantRequests(1)
		r.wantState(p, StateOK, "")
	})
}

func TestAnImportThatWasRefusedIsToldFromOneThatWasUsed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.wantRefused(p.imports("secret-forged"), finding.CauseSeedUsed)
		for token, which := range map[string]string{"secret-forged": finding.CaseRefused, r.seed: finding.CaseKnown} {
			res := p.imports(token)
			r.wantRefused(res, finding.CauseSeedUsed)
			if res.Trouble.Case != which {
				t.Errorf("%s: it is %q", token, res.Trouble.Case)
			}
		}
		r.wantRequests(2)
	})
}

func TestAnImportSurvivesACrashBeforeItsAnswer(t *testing.T) {
	for name, lives := range map[string]bool{"beside a living grant": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				fresh := r.server.login()
				if !lives {
					r.supply("")
				}
				p := r.boot()
				time.Sleep(time.Second)
				r.killAt("before-send")
				go func() { _, _ = p.keeper.Import(context.Background(), fresh, false) }()
				time.Sleep(time.Minute)
				if !p.dead.Load() {
					t.Fatal("the process was not killed")
				}
				before := r.server.count()
				p = r.boot()
				p.token()
				time.Sleep(time.Second)
				r.wantRequests(before + 1)
				if got := r.server.requests()[before].token; got != fresh {
					t.Errorf("presented %q after the crash, want the imported token", got)
				}
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestAnImportWithoutAnAnswerIsPresentedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		fresh := r.server.login()
		r.server.script(dropBefore(), unavailable(503, 0))
		r.wantRefused(p.imports(fresh), "no_answer")
		time.Sleep(10 * time.Second)
		r.wantRequests(4)
		for _, asked := range r.server.requests()[1:] {
			if asked.token != fresh {
				t.Errorf("presented %q, want the imported token", asked.token)
			}
		}
		if got := r.disk.stored(); got.RefreshToken != r.server.current(fresh) || got.Imported != "" {
			t.Errorf("the record is %+v", got)
		}
	})
}

func TestNothingIsImportedThatCannotBeKept(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errors.New("disk full"), func(*record.Record) bool { return true })
		fresh := r.server.login()
		r.wantRefused(p.imports(fresh), finding.CauseStore)
		r.wantRequests(1)
	})
}

func TestAClientWithoutRotationTakesNoImport(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.supply("")
		p := r.boot(cacheOnly)
		p.token()
		r.wantRefused(p.imports("secret-refresh"), finding.CauseNotRotating)
		r.wantRequests(1)
		r.wantObtained(p.refresh(false))
		r.wantRequests(2)
	})
}

func TestAnOrderToAStoppedKeeperIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.edit(func(s *server) { s.dialing = time.Hour })
		results := make(chan Result, 2)
		go func() { results <- p.refresh(false) }()
		synctest.Wait()
		go func() { results <- p.refresh(false) }()
		synctest.Wait()
		p.halt()
		for range 2 {
			r.wantRefused(<-results, finding.CauseStopped)
		}
		r.wantRefused(p.refresh(false), finding.CauseStopped)
		r.wantRequests(1)
	})
}
