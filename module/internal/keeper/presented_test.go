package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// presented counts how often a refresh token was sent.
func (r *rig) presented(token string) (n int) {
	synctest.Wait()
	for _, q := range r.server.requests() {
		if q.token == token {
			n++
		}
	}
	return n
}

// Fault B3.
func TestASpentSeedIsPresentedByNoKindOfGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		living := r.disk.stored().RefreshToken
		p.kill()
		r.server.revokes = true
		p = r.boot(cacheOnly) // rotation ignore
		p.tick(time.Hour)
		if n := r.presented(r.seed); n != 1 {
			t.Errorf("the spent seed was presented %d times, want once", n)
		}
		if rec := r.disk.stored(); rec.Lost != nil || r.server.current(r.seed) != living {
			t.Errorf("the living grant is lost: %+v", rec)
		}
	})
}

// Fault B4.
func TestARefreshTokenSurvivesAnotherGrantUnderItsName(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		living, former := r.disk.stored().RefreshToken, r.binding
		p.kill()
		r.change(func() { r.binding = record.Binding{Grant: 77, Request: 78} })
		seed := r.supply("")
		p = r.boot(cacheOnly) // client_credentials at another server
		p.token()
		p.kill()
		if n := r.presented(living); n != 0 {
			t.Fatalf("the refresh token went to another server %d times", n)
		}
		r.change(func() { r.binding, r.seed = former, seed })
		p = r.boot()
		p.tick(time.Hour)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
	})
}

// Fault B4, the other way round.
func TestARefreshTokenIsNotSentToTheServerOfTheGrantThatFollows(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		living := r.disk.stored().RefreshToken
		p.kill()
		r.change(func() { r.binding = record.Binding{Grant: 77, Request: 78} })
		r.supply("")
		p = r.boot(cacheOnly)
		p.token()
		p.kill()
		p = r.boot() // refresh_token at the other server, without a seed
		p.tick(time.Hour)
		if n := r.presented(living); n != 0 {
			t.Errorf("the refresh token went to another server %d times", n)
		}
	})
}

// Fault B5.
func TestALateAnswerDoesNotOverwriteALaterRotation(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = time.Minute
		first, second := r.bootTwo()
		r.server.script(fault{after: 20 * time.Second})
		for first.keeper.Status().State != StateRefreshing {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second) // the server has exchanged the token, and says nothing yet
		r.disk.stealLease()
		first.keeper.Recheck()
		second.keeper.Recheck()
		time.Sleep(time.Minute)
		r.server.edit(func(s *server) { s.grace = 0 })
		first.tick(3 * time.Hour)
		second.tick(3 * time.Hour)
		r.wantState(first, StateOK, "")
		r.wantState(second, StateOK, "")
		r.wantUse(first)
	})
}

// Fault B6: a file from elsewhere whose counter is higher.
func TestAForeignRecordDoesNotReplaceTheLivingGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.replace(func(rec *stored) {
			*rec = stored{
				Client: "erp", Revision: rec.Revision, Generation: rec.Generation + 10, Binding: rec.Binding, RefreshToken: "secret-foreign",
				Token: &record.AccessToken{AccessToken: "secret-foreign-access", ObtainedAt: r.wall(), ExpiresAt: r.wall().Add(time.Hour)},
			}
		})
		p.tick(3 * time.Hour)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
	})
}

// Fault B6: a file from elsewhere whose counter is lower is not overwritten without a word.
func TestAForeignRecordIsNotOverwrittenWithoutAWord(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.tick(5 * time.Hour)
		before := len(p.told(finding.Troubled)) + len(p.told(finding.SeedRefused))
		r.disk.replace(func(rec *stored) {
			*rec = stored{
				Client: "erp", Revision: rec.Revision, Generation: 1, Binding: rec.Binding, RefreshToken: "secret-foreign",
			}
		})
		p.tick(3 * time.Hour)
		if n := len(p.told(finding.Troubled)) + len(p.told(finding.SeedRefused)); n == before {
			t.Error("a record of another lineage was overwritten, and nobody was told")
		}
	})
}

// Fault B7.
func TestAGrantIsRefreshedBeforeItEndsItself(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = 30 * time.Minute }})
		p := r.boot()
		p.token()
		for range 10 {
			before := r.server.count()
			time.Sleep(29 * time.Minute)
			synctest.Wait()
			if r.server.count() == before {
				t.Fatal("the refresh token ended before it was exchanged")
			}
		}
	})
}

// Fault B9.
func TestATokenIsServedBeforeItsCacheIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.disk.faults(func() { r.disk.slow = 20 * time.Second })
		p := r.boot(cacheOnly)
		p.token()
	})
}

// Fault B10.
func TestAStoreThatHangsIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		release := make(chan struct{})
		defer close(release)
		p.keepAt(hangingStore{p.store, release})
		p.tick(2 * time.Hour)
		r.wantState(p, StateBackoff, finding.CauseStore)
	})
}

// hangingStore is on a network file system that does not answer.
type hangingStore struct {
	*memoryStore
	release chan struct{}
}

func (s hangingStore) Load(ctx context.Context, name string) (*record.Record, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.release:
		return nil, errors.New("released")
	}
}

// Fault B11.
func TestARaisedLimitCountsForThoseInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 8, 1)
		defer c.end()
		c.dead = true
		for i := range c.members {
			c.start(i)
			synctest.Wait()
		}
		c.limit = 8
		for i := range c.members {
			c.start(i) // the reload
		}
		synctest.Wait()
		if asked := c.requests(); len(asked) < 8 {
			t.Errorf("%d of 8 ask", len(asked))
		}
	})
}

// Fault B11. Some leases are held by a process that hangs.
func TestWhoeverWaitsForALeaseKeepsNobodyFromAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 12, 2)
		defer c.end()
		for i := range 6 {
			lease, err := c.members[i].rig.newProcess().store.Lease(t.Context(), "erp")
			if err != nil {
				t.Fatal(err)
			}
			defer lease.Release()
		}
		for i := range c.members {
			c.start(i)
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		for i := 6; i < 12; i++ {
			if st := c.members[i].keeper.Status(); st.State != StateOK {
				t.Errorf("client %d: %s, %s", i, st.State, st.Trouble.Cause)
			}
		}
	})
}

// Fault B13.
func TestADamagedRecordIsMendedFromMemory(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseLoads(recordstore.ErrUnreadable)
		p.keeper.Recheck()
		p.tick(30 * time.Second)
		if e := p.toldOnce(finding.StoreFailed); e.Trouble.Cause != finding.CauseRecord || p.saidOf(e).Detail == "" || p.saidOf(e).Remedy == "" {
			t.Errorf("told %+v", e)
		}
		p.toldOnce(finding.StoreRecovered)
		if len(r.disk.aside) != 1 {
			t.Errorf("%d records were set aside, want the damaged one", len(r.disk.aside))
		}
		p.tick(3 * time.Hour)
		r.wantUse(p)
	})
}

// Fault B14.
func TestAnAbandonedOrderIsNotBegun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.always(unavailable(429, 0))
		r.server.latency = 5 * time.Second
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			_, _ = p.keeper.Refresh(ctx, true)
			cancel()
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := r.server.count(); n > 3 {
			t.Errorf("%d token requests for 20 orders that nobody waits for", n)
		}
	})
}

// Fault A8. The answer repeats the token that is held and names no usable lifetime.
func TestARepeatedTokenWithoutALifetimeKeepsItsKnownExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.constant, r.server.reuses = true, true
		p := r.boot(cacheOnly)
		expires := p.token().ExpiresAt
		r.server.always(fault{tamper: func(a *answer) {
			a.ExpiresIn, a.ExpiresDefaulted = 2*time.Hour, "expires_in is not positive"
		}})
		time.Sleep(45 * time.Minute)
		if got := p.token().ExpiresAt; got.After(expires) {
			t.Errorf("expires %v later than was known", got.Sub(expires))
		}
		r.wantRequests(2)
	})
}

// The critique's first history: a late answer brings a
// grant back that a refusal ended.
func TestALateAnswerEndsALossThatAnotherHolderWrote(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first, second := r.bootTwo()
		r.server.script(fault{after: 20 * time.Second})
		for first.keeper.Status().State != StateRefreshing {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		r.disk.stealLease()
		first.keeper.Recheck()
		second.keeper.Recheck()
		time.Sleep(time.Minute)
		first.tick(3 * time.Hour)
		second.tick(3 * time.Hour)
		r.wantState(first, StateOK, "")
		r.wantState(second, StateOK, "")
		r.wantUse(first)
		r.wantUse(second)
	})
}

// The critique's ninth history: a revocation ends what a log-in brought, whatever is
// written late.
func TestALateAnswerDoesNotBringARevokedGrantBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = time.Minute
		first, second := r.bootTwo(revocable(nil))
		r.server.script(fault{after: 20 * time.Second})
		for first.keeper.Status().State != StateRefreshing {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		r.disk.stealLease()
		time.Sleep(time.Second)
		if res, err := second.keeper.Revoke(t.Context()); err != nil || !res.Revoked {
			t.Fatalf("%+v, %v", res, err)
		}
		time.Sleep(time.Minute)
		first.tick(3 * time.Hour)
		second.tick(3 * time.Hour)
		r.wantState(first, StateGrantLost, finding.CauseRevoked)
		r.wantState(second, StateGrantLost, finding.CauseRevoked)
	})
}

// bootTwo boots two processes, of which the first refreshes earlier.
func (r *rig) bootTwo(edits ...func(*Settings)) (first, second *machine) {
	r.random = func() float64 { return 1 }
	first = r.boot(edits...)
	first.token()
	r.random = func() float64 { return 0 }
	second = r.boot(edits...)
	second.token()
	return first, second
}

// revocable gives a client a revocation endpoint.
func revocable(err error) func(*Settings) {
	return func(s *Settings) {
		resolve := s.Resolve
		s.Resolve = func() (Inputs, error) {
			in, resolveErr := resolve()
			in.Revoke = func(context.Context, string) error { return err }
			return in, resolveErr
		}
	}
}

// deafStore does not look at its contexts.
type deafStore struct {
	*memoryStore
	release chan struct{}
	calls   atomic.Int64
}

func (s *deafStore) Load(ctx context.Context, name string) (*record.Record, error) {
	s.calls.Add(1)
	<-s.release
	return s.memoryStore.Load(context.WithoutCancel(ctx), name)
}

// Fault B10, of a store that cannot even be called off.
func TestAStoreThatIgnoresItsContextIsNamedAndAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		deaf := &deafStore{memoryStore: p.store, release: make(chan struct{})}
		p.keepAt(deaf)
		p.tick(2 * time.Hour)
		r.wantState(p, StateBackoff, finding.CauseStore)
		if n := deaf.calls.Load(); n != 1 {
			t.Errorf("%d calls hang", n)
		}
		close(deaf.release)
		p.tick(time.Minute)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
	})
}

// A lease that comes after nobody waits for it any more is given back.
func TestALeaseThatComesTooLateIsGivenBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		slow := &slowLease{memoryStore: p.store}
		slow.takes.Store(int64(time.Minute))
		p.keepAt(slow)
		time.Sleep(41 * time.Minute)
		synctest.Wait()
		r.wantState(p, StateBackoff, finding.CauseStore)
		slow.takes.Store(0)
		p.tick(10 * time.Minute)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
		if r.disk.leased() {
			t.Error("the lease is still held")
		}
	})
}

type slowLease struct {
	*memoryStore
	takes atomic.Int64
}

func (s *slowLease) Lease(ctx context.Context, name string) (recordstore.Lease, error) {
	time.Sleep(time.Duration(s.takes.Load()))
	return s.memoryStore.Lease(context.WithoutCancel(ctx), name)
}

// keepAt replaces the store of a keeper that runs.
func (p *machine) keepAt(st recordstore.Store) {
	p.keeper.mu.Lock()
	defer p.keeper.mu.Unlock()
	p.keeper.store = st
}
