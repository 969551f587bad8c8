package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lamplighter/module/store"
)

// always grants a lease whoever holds it.
func (b *broken) always(ctx context.Context, name, holder string) (store.Lease, store.Held, error) {
	for {
		l, held, err := b.Memory.Acquire(ctx, name, holder, "")
		if l == nil && err == nil {
			l, held, err = b.Memory.Acquire(ctx, name, holder, held.Tag)
		}
		if l != nil || err != nil {
			return l, held, err
		}
	}
}

// free has nobody hold a lease any more.
func (b *broken) free(name string) {
	p := b.ground.Place
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.leases, name)
}

// shown changes what is told of who holds a lease.
func shown(change func(store.Held) store.Held) func(*broken) {
	return func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			if l == nil && err == nil {
				held = change(held)
			}
			return l, held, err
		}
	}
}

var brokenLeases = map[string]fault{
	"aLeaseIsGrantedTwice": {[]string{
		"ALeaseKeepsOthersOut", "OneOfManyThatTryAtOnceHasTheLease", "AnotherEngineSeesWhoHoldsALease", "ALeaseOutlivesTheEngineOfItsHolder",
	}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, _ store.Tag) (store.Lease, store.Held, error) {
			return b.always(ctx, name, holder)
		}
	}},
	"aLeaseIsThatOfTheEngine": {[]string{"AnotherEngineSeesWhoHoldsALease", "OneOfManyThatTryAtOnceHasTheLease"}, func(b *broken) {
		b.acquire = NewPlace().Engine().Acquire
	}},
	"aLeaseIsTakenOverWithAnyTag": {[]string{"ALeaseIsTakenOverWithTheTagSeenOnly"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			if over != "" {
				return b.always(ctx, name, holder)
			}
			return b.Memory.Acquire(ctx, name, holder, over)
		}
	}},
	"aLeaseIsNeverTakenOver": {[]string{"ALeaseIsTakenOverWithTheTagSeenOnly", "OneOfManyThatTakeOverAtOnceHasTheLease"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, _ store.Tag) (store.Lease, store.Held, error) {
			return b.Memory.Acquire(ctx, name, holder, "")
		}
	}},
	"itLooksAndThenTakes": {[]string{"OneOfManyThatTryAtOnceHasTheLease", "OneOfManyThatTakeOverAtOnceHasTheLease"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			p := b.ground.Place
			p.mu.Lock()
			held := p.leases[name]
			p.mu.Unlock()
			if held.Tag != "" && held.Tag != over && held.Holder != holder {
				return nil, held, nil
			}
			time.Sleep(5 * time.Millisecond)
			return b.always(ctx, name, holder)
		}
	}},
	"aRenewalKeepsTheTag": {[]string{"ARenewedLeaseHasAnotherTag", "ALeaseIsTakenOverWithTheTagSeenOnly"}, func(b *broken) {
		b.renew = func(ctx context.Context, l *lease) error {
			p := b.ground.Place
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.leases[l.name].Holder != l.holder {
				return store.ErrConflict
			}
			return ctx.Err()
		}
	}},
	"whoLostALeaseHasItAgainByRenewal": {[]string{"WhoLostALeaseChangesNothing", "ALeaseThatIsGivenBackIsFree", "AnotherEngineSeesWhoHoldsALease"}, func(b *broken) {
		b.renew = func(ctx context.Context, l *lease) error {
			_, _, err := b.always(ctx, l.name, l.holder)
			return err
		}
	}},
	"whoLostALeaseIsToldThatAllIsWell": {[]string{"WhoLostALeaseChangesNothing"}, func(b *broken) {
		b.renew = func(ctx context.Context, l *lease) error {
			if err := l.Renew(ctx); !errors.Is(err, store.ErrConflict) {
				return err
			}
			return nil
		}
	}},
	"aStrangerGivesALeaseBack": {[]string{"WhoLostALeaseChangesNothing", "ALeaseThatIsGivenBackIsFree"}, func(b *broken) {
		b.release = func(_ context.Context, l *lease) error {
			b.free(l.name)
			return nil
		}
	}},
	"aLeaseIsNotGivenBack": {[]string{"ALeaseThatIsGivenBackIsFree", "ALeaseIsTakenManyTimesAndNeverOfTheOldTag", "ALeaseThatIsGivenBackIsTold"}, func(b *broken) {
		b.release = func(context.Context, *lease) error { return nil }
	}},
	"whoAsksAgainIsRefused": {[]string{"AHolderThatAsksAgainHasItsLease"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			p := b.ground.Place
			p.mu.Lock()
			held := p.leases[name]
			p.mu.Unlock()
			if held.Holder == holder {
				return nil, held, nil
			}
			return b.Memory.Acquire(ctx, name, holder, over)
		}
	}},
	"whoAsksAgainGivesNoSignOfLife": {[]string{"AHolderThatAsksAgainHasItsLease"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			p := b.ground.Place
			p.mu.Lock()
			was := p.leases[name]
			p.mu.Unlock()
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			if l != nil && was.Holder == holder {
				p.mu.Lock()
				p.leases[name] = was
				p.mu.Unlock()
			}
			return l, held, err
		}
	}},
	"aLeaseIsAnObject": {[]string{"ALeaseNeedsNoObject", "AListHasEachObjectOnce"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			if l != nil {
				_, _ = b.force(ctx, name, []byte(holder))
			}
			return l, held, err
		}
	}},
	"aWriteTakesTheLeaseAway": {[]string{"ALeaseNeedsNoObject"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			b.free(name)
			return b.Memory.Put(ctx, name, data, ifTag)
		}
	}},
	"aLeaseNeedsAnObject": {[]string{"ALeaseNeedsNoObject"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			if _, err := b.Memory.Get(ctx, name); err != nil {
				return nil, store.Held{}, err
			}
			return b.Memory.Acquire(ctx, name, holder, over)
		}
	}},
	"aLeaseIsTakenAfterTheEnd": {[]string{"ALeaseWhoseTimeToTryIsOverIsNotTaken"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			return b.Memory.Acquire(context.WithoutCancel(ctx), name, holder, over)
		}
	}},
	"aLeaseIsRenewedWithoutAsking": {[]string{"ALeaseWhoseTimeToTryIsOverIsNotTaken", "ARenewedLeaseHasAnotherTag"}, func(b *broken) {
		b.renew = func(context.Context, *lease) error { return nil }
	}},
	"aLeaseEndsWithItsEngine": {[]string{"ALeaseOutlivesTheEngineOfItsHolder"}, func(b *broken) {
		taken := make(map[string]bool)
		var mu sync.Mutex
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			mu.Lock()
			defer mu.Unlock()
			taken[name] = taken[name] || l != nil
			return l, held, err
		}
		b.close = func() error {
			mu.Lock()
			defer mu.Unlock()
			for name := range taken {
				b.free(name)
			}
			return b.Memory.Close()
		}
	}},
	"aLeaseEndsWithItsConnection": {[]string{"ALeaseOutlivesItsConnection"}, func(b *broken) {
		b.ground.onceCut(func() { b.free("client") })
	}},
	"aLeaseEndsByItself": {[]string{"ALeaseHasNoEndInTheStore"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			if l != nil {
				time.AfterFunc(time.Second, func() { b.free(name) })
			}
			return l, held, err
		}
	}},
	"theTagsOfLeasesAreCounted": {[]string{"ALeaseIsTakenManyTimesAndNeverOfTheOldTag"}, func(b *broken) {
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			if l != nil {
				p := b.ground.Place
				p.mu.Lock()
				p.leases[name] = store.Held{Holder: holder, Tag: "1"}
				p.mu.Unlock()
			}
			return l, held, err
		}
	}},
	"whoHoldsALeaseIsNotTold": {[]string{"ALeaseKeepsOthersOut", "AnotherEngineSeesWhoHoldsALease"}, shown(func(h store.Held) store.Held { h.Holder = ""; return h })},
	"aLookChangesALease": {[]string{"ARenewedLeaseHasAnotherTag"}, func(b *broken) {
		var n int
		var mu sync.Mutex
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			mu.Lock()
			defer mu.Unlock()
			if n++; l == nil && err == nil {
				held.Tag += store.Tag(fmt.Sprint(n))
			}
			return l, held, err
		}
	}},
}
