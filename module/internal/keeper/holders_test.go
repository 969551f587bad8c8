package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

func TestOneOfTwoProcessesRefreshesAndTheOtherFollows(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.boot()
		first.token()
		second := r.boot()
		second.token()
		r.wantRequests(1)
		for range 48 {
			first.tick(15 * time.Minute)
			second.tick(15 * time.Minute)
			r.wantUse(first)
			r.wantUse(second)
			if a, b := first.token(), second.token(); a.AccessToken != b.AccessToken {
				t.Fatalf("generations %d and %d", a.Generation, b.Generation)
			}
		}
		// A day with one request per 37 to 40 minutes.
		if n := r.server.count(); n < 36 || n > 40 {
			t.Errorf("%d requests", n)
		}
		if r.server.busiest > 1 {
			t.Errorf("%d requests at once", r.server.busiest)
		}
		if failures := append(first.told(finding.TokenRefreshFailed), second.told(finding.TokenRefreshFailed)...); len(failures) > 0 {
			t.Errorf("failures although nothing was wrong: %+v", failures)
		}
	})
}

func TestAFollowerTakesOver(t *testing.T) {
	for name, end := range map[string]func(*machine){"after a kill": (*machine).kill, "after a stop": (*machine).halt} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				first := r.boot()
				first.token()
				second := r.boot()
				second.token()
				end(first)
				second.tick(10 * time.Hour)
				r.wantState(second, StateOK, "")
				r.wantUse(second)
			})
		})
	}
}

func TestAFollowerTakesOverFromAProcessThatDiesRefreshing(t *testing.T) {
	for _, point := range []string{"after-journal", "sent", "answered", "before-save", "after-save"} {
		t.Run(point, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.grace = 10 * time.Second
				r.boot()
				second := r.boot()
				second.token()
				r.killAt(point)
				second.tick(45 * time.Minute)
				second = r.processes[1]
				if second.dead.Load() {
					second = r.processes[0]
				}
				r.wantState(second, StateOK, "")
				r.wantUse(second)
				second.tick(10 * time.Hour)
				r.wantUse(second)
			})
		})
	}
}

func TestAFollowerWaitsForARequestThatIsSlow(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{before: 25 * time.Second})
		first := r.boot()
		time.Sleep(time.Second)
		second := r.boot()
		time.Sleep(30 * time.Second)
		first.token()
		second.token()
		r.wantRequests(1)
		if failures := second.told(finding.TokenRefreshFailed); len(failures) > 0 {
			t.Errorf("waiting is no failure: %+v", failures)
		}
	})
}

func TestALeaseThatIsHeldForeverIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		other := r.newProcess()
		lease, err := other.store.Lease(t.Context(), "erp")
		if err != nil {
			t.Fatal(err)
		}
		p := r.boot()
		time.Sleep(37 * time.Second)
		if e := p.toldOnce(finding.TokenRefreshFailed); e.Trouble.Cause != finding.CauseLeaseHeld || p.saidOf(e).Remedy == "" {
			t.Errorf("event %+v", e)
		}
		r.wantRequests(0)
		lease.Release()
		time.Sleep(time.Minute)
		p.token()
	})
}

func TestALeaseThatWasLostSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		r.disk.faults(func() {
			r.disk.hook = func(_ *machine, point string) {
				if point == "after-journal" {
					r.disk.faults(func() { r.disk.hook = nil })
					r.disk.stealLease()
				}
			}
		})
		p.start()
		time.Sleep(500 * time.Millisecond)
		r.wantRequests(0)
		p.token() // a second later
		r.wantRequests(1)
		r.wantState(p, StateOK, "")
	})
}

func TestALateWriterDoesNotOverwriteANewerRecord(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		var theirs stored
		r.disk.faults(func() {
			r.disk.hook = func(_ *machine, point string) {
				if point != "before-journal" {
					return
				}
				r.disk.faults(func() { r.disk.hook = nil })
				a := r.server.act(p, r.disk.stored().RefreshToken)
				r.disk.replace(func(rec *stored) {
					rec.Generation++
					rec.RefreshToken = a.RefreshToken
					rec.Token = &record.AccessToken{AccessToken: a.AccessToken, ObtainedAt: r.wall(), ExpiresAt: r.wall().Add(time.Hour)}
					theirs = *rec
				})
			}
		})
		time.Sleep(45 * time.Minute)
		r.wantRequests(1)
		if token := p.token(); token.AccessToken != theirs.Token.AccessToken {
			t.Errorf("got %+v, want theirs", token)
		}
		r.wantState(p, StateOK, "")
	})
}

func TestALossIsSharedAndSoIsItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first, second := r.boot(), r.boot()
		r.lose(first)
		second.tick(time.Minute)
		r.wantState(first, StateGrantLost, finding.CauseRefused)
		r.wantState(second, StateGrantLost, finding.CauseRefused)
		r.wantRequests(2)
		r.supply(r.server.login())
		first.tick(30 * time.Second)
		second.tick(30 * time.Second)
		r.wantRequests(3)
		r.wantState(first, StateOK, "")
		r.wantState(second, StateOK, "")
	})
}

// A lease was stolen, and the other one's answer came first.
func TestARefusalDoesNotOverwriteALivingGrant(t *testing.T) {
	for name, edit := range map[string]func(r *rig){
		"of the grant": func(*rig) {},
		"of a seed":    func(r *rig) { r.supply("secret-mistyped") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				time.Sleep(time.Minute)
				edit(r)
				presented := r.disk.stored().RefreshToken
				r.server.script(refuses())
				r.disk.faults(func() {
					r.disk.hook = func(_ *machine, point string) {
						if point != "before-save" {
							return
						}
						r.disk.faults(func() { r.disk.hook = nil })
						a := r.server.act(p, presented)
						r.disk.replace(func(rec *stored) {
							rec.Generation++
							rec.RefreshToken, rec.Attempt = a.RefreshToken, nil
							rec.Token = &record.AccessToken{AccessToken: a.AccessToken, ObtainedAt: r.wall(), ExpiresAt: r.wall().Add(time.Hour)}
						})
					}
				})
				p.keeper.Recheck()
				p.tick(10 * time.Hour)
				r.wantState(p, StateOK, "")
				r.wantUse(p)
			})
		})
	}
}

// anotherScope makes a process ask for other access tokens than the rest.
func anotherScope(s *Settings) {
	resolve := s.Resolve
	s.Resolve = func() (Inputs, error) {
		in, err := resolve()
		in.Binding.Request = 79
		return in, err
	}
}

func TestTwoProcessesThatAskForDifferentScopesEachKeepTheirToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.boot()
		first.token()
		second := r.boot(anotherScope)
		second.token()
		for range 720 {
			first.tick(5 * time.Second)
			second.tick(5 * time.Second)
			r.wantUse(first)
			r.wantUse(second)
		}
		if n := r.server.count(); n > 8 {
			t.Errorf("%d requests in two hours", n)
		}
		if told := append(first.told(finding.Troubled), second.told(finding.Troubled)...); len(told) > 0 {
			t.Errorf("told %+v", told)
		}
	})
}

func TestTwoProcessesWhoseScopesEndEachOthersTokensAreNoStorm(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.strict = true
		first := r.boot(drain)
		first.token()
		second := r.boot(drain, anotherScope)
		second.token()
		for range 360 {
			first.tick(5 * time.Second)
			second.tick(5 * time.Second)
		}
		// In an hour: after pauses that double up to five minutes.
		if n := r.server.count(); n < 4 || n > 50 {
			t.Errorf("%d requests", n)
		}
		if told := append(first.told(finding.Troubled), second.told(finding.Troubled)...); len(told) == 0 || told[0].Trouble.Cause != finding.CauseContested || first.saidOf(told[0]).Remedy == "" {
			t.Errorf("told %+v", told)
		}

		// The last one that runs has its token, and peace.
		first.kill()
		second.tick(10 * time.Minute)
		r.wantUse(second)
		r.wantState(second, StateOK, "")
	})
}

// TestA401FindsWhatAnotherHolderRotated is about the moment in which another
// process has rotated, and this one has not been told.
func TestA401FindsWhatAnotherHolderRotated(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.boot()
		first.token()
		second := r.boot()
		second.token()
		for range 20 {
			time.Sleep(5 * time.Second)
			second.store.unwatch()
			old := second.token()
			if v := first.unauthorized(first.token()); v != Renewed && v != Final {
				t.Fatalf("verdict %v", v)
			}
			if first.token().Generation == old.Generation {
				time.Sleep(5 * time.Minute) // the pauses between forced refreshes
				continue
			}
			first.keeper.Accepted(first.token())
			// Whatever the method, it may be sent again: the token was dead.
			if v := second.unauthorized(old); v != Stale {
				t.Fatalf("verdict %v, want Stale", v)
			}
			if second.token().AccessToken != first.token().AccessToken {
				t.Fatal("it did not find the new token")
			}
		}
		if n := r.server.count(); n < 5 {
			t.Errorf("only %d requests", n)
		}
	})
}

func TestWhoeverWaitsForAnotherProcessIsToldSo(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		release := r.holdLease() // by a process that hangs
		p := r.boot()
		u := p.unavailable()
		if u.Trouble.Cause != finding.CauseLeaseHeld || u.State != StateRefreshing {
			t.Errorf("got %+v", u)
		}
		release()
		p.token()
	})
}
