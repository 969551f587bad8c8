package keeper

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/sharedstore"
	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

// ledgered is the ledger of a machine, as records.Record wires it.
func ledgered() func(*Settings) {
	var mu sync.Mutex
	known := map[record.Fingerprint]ledger.Said{}
	return func(s *Settings) {
		s.Spent = func(f, _ record.Fingerprint, said ledger.Said, _ bool) {
			mu.Lock()
			defer mu.Unlock()
			known[f] = said
		}
		s.Elsewhere = func(f, _ record.Fingerprint, _ bool) *Owner {
			mu.Lock()
			defer mu.Unlock()
			if said, ok := known[f]; ok && said != ledger.Free {
				return &Owner{Client: "erp", Place: "/data/erp.json", Own: true}
			}
			return nil
		}
	}
}

// An import whose answer could not be written before the process was killed was denied, as
// spent, and tried again, without any pause.
func TestAnImportThatMayBeSpentIsGivenUpAfterARestart(t *testing.T) {
	for name, lives := range map[string]bool{"no grant": false, "beside a grant": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				edit := ledgered()
				fresh := r.server.login()
				if !lives {
					r.supply("")
				}
				p := r.boot(edit)
				time.Sleep(time.Second)
				r.disk.refuseSaves(errBroken, answers)
				go func() { _, _ = p.keeper.Import(context.Background(), fresh, true) }()
				time.Sleep(2 * time.Second)
				if !p.keeper.Status().Unsaved {
					t.Fatal("the answer was written")
				}
				p.kill()
				r.disk.acceptSaves()
				r.server.mu.Lock()
				tries := r.server.tries
				r.server.mu.Unlock()
				p = r.boot(edit)
				p.tick(time.Minute)
				r.server.mu.Lock()
				tries = r.server.tries - tries
				r.server.mu.Unlock()
				if denied := len(p.told(finding.SeedRefused)); tries > 3 || denied > 1 {
					t.Errorf("%d connections, and it was denied %d times", tries, denied)
				}
				if !lives {
					return
				}
				p.tick(2 * time.Hour)
				if st := p.keeper.Status(); p.keeper.Current() == nil || st.State != StateOK {
					t.Errorf("the grant beside it is %+v", st)
				}
			})
		})
	}
}

// A refresh token was taken for spent because its successor was in memory, and with that
// memory gone it was not presented again to a server that would have forgiven it.
func TestASeedWhoseSuccessorNobodyHasIsPresentedAgain(t *testing.T) {
	for name, edit := range map[string]func(*Settings){"with ledger": ledgered(), "without": func(*Settings) {}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.grace = time.Minute
				r.disk.refuseSaves(errBroken, answers)
				p := r.boot(edit)
				time.Sleep(2 * time.Second)
				p.kill()
				r.disk.acceptSaves()
				p = r.boot(edit)
				p.tick(30 * time.Second)
				st := p.keeper.Status()
				if st.State != StateOK || r.server.count() != 2 {
					t.Errorf("%d requests, and it is %+v", r.server.count(), st)
				}
			})
		})
	}
}

func TestACandidateThatIsConfiguredNoMoreIsNotTriedInALoop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		edit := ledgered()
		r.disk.refuseSaves(errBroken, answers)
		p := r.boot(edit)
		time.Sleep(2 * time.Second)
		p.kill()
		r.disk.acceptSaves()
		r.supply("")
		p = r.boot(edit)
		p.tick(time.Minute)
		if p.looks > 20 {
			t.Errorf("%d looks in a minute: %+v", p.looks, p.keeper.Status())
		}
	})
}

// What another holder had presented was taken over, and an attempt that nobody answered made
// the next refusal look like one of our own.
func TestARefusalStaysInDoubtAfterAnAnswerThatSaysNothing(t *testing.T) {
	for name, between := range map[string]fault{"503": unavailable(503, 0), "not sent": notSent(), "lost": dropBefore()} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, r *rig) {
				first, second := r.boot(), r.boot()
				first.token()
				second.token()
				cut := r.server.firstThatAsks(func(p *machine) { p.store.cutOff() })
				other := first
				if cut == first {
					other = second
				}
				r.server.mu.Lock()
				n := r.server.tries
				r.server.next = func(try int) fault {
					if try == n+1 {
						return between
					}
					return fault{}
				}
				r.server.mu.Unlock()
				go func() { _, _ = other.keeper.Refresh(context.Background(), false) }()
				time.Sleep(40 * time.Second)
				if n := len(other.told(finding.GrantLost)); n > 0 {
					t.Errorf("%d times it was told that the grant is lost: %+v", n, other.keeper.Status())
				}
				cut.store.heal()
				time.Sleep(3 * time.Second)
				if st := other.keeper.Status(); st.State != StateOK {
					t.Errorf("after the former holder is back: %+v", st)
				}
			})
		})
	}
}

// The pause that this process had noted itself lasted as much longer as the clock was set back.
func TestOurOwnPauseIsNoLongerBecauseTheClockWasSetBack(t *testing.T) {
	for name, back := range map[string]time.Duration{"an hour": time.Hour, "not": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				place := storetest.NewPlace()
				place.Clock(time.Now)
				p := r.newProcess()
				st := sharedstore.New("memory")
				engine := place.Engine()
				done, err := st.Use("", func() (store.Engine, error) { return engine, nil }, sharedstore.Options{
					Lease: 15 * time.Second, OpTimeout: 2 * time.Second, Poll: 30 * time.Second, Holder: p.name(), Wall: p.wall,
				})
				if err != nil {
					t.Fatal(err)
				}
				p.keepAt(st)
				r.stepClock(back) // it is ahead
				p.start()
				p.token()
				outage := true
				r.server.mu.Lock()
				r.server.next = func(int) fault {
					if outage {
						return unavailable(503, 0)
					}
					return fault{}
				}
				r.server.mu.Unlock()
				time.Sleep(41 * time.Minute) // the refresh fails
				synctest.Wait()
				r.stepClock(-back)
				p.tick(time.Minute)
				r.server.mu.Lock()
				outage = false
				r.server.mu.Unlock()
				p.tick(30 * time.Minute)
				if st := p.keeper.Status(); st.State != StateOK || p.keeper.Current() == nil {
					t.Errorf("half an hour after the outage: %+v", st)
				}
				p.halt()
				done()
				_ = st.Close()
			})
		})
	}
}

// brokenClaims is a store whose claims cannot be read.
type brokenClaims struct{ *memoryStore }

func (s brokenClaims) Claim(context.Context, string, record.Fingerprint, func(string) (bool, error)) (string, error) {
	return "", errBroken
}

func (s brokenClaims) Claimed(context.Context, record.Fingerprint) (string, error) {
	return "", errBroken
}

func TestAGrantIsRefreshedBesideACandidateWhoseClaimCannotBeWritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.keepAt(brokenClaims{p.store})
		r.supply(r.server.login())
		p.tick(3 * time.Hour)
		if p.keeper.Current() == nil {
			t.Errorf("it is %+v", p.keeper.Status())
		}
	})
}

func TestAGrantIsRefreshedBesideADeniedSeedWhoseClaimCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		taken := r.server.login()
		edit := func(s *Settings) {
			s.Elsewhere = func(f, _ record.Fingerprint, _ bool) *Owner {
				if f == record.FingerprintOf(taken) {
					return &Owner{Client: "crm", Place: "/data/crm.json"}
				}
				return nil
			}
		}
		p := r.boot(edit)
		p.token()
		r.supply(taken)
		p.tick(2 * time.Hour)
		p.keepAt(brokenClaims{p.store})
		p.tick(3 * time.Hour)
		if st := p.keeper.Status(); p.keeper.Current() == nil || st.Trouble.Case != finding.CaseBeside {
			t.Errorf("it is %+v", st)
		}
	})
}
