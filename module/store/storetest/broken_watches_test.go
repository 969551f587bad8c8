package storetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"lamplighter/module/store"
)

// tells changes what a watch tells of names: nothing of "".
func tells(change func(name string) string) func(*broken) {
	return func(b *broken) {
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			return b.Memory.Watch(ctx, names, ready, func(name string) {
				if name = change(name); name != "" {
					changed(name)
				}
			})
		}
	}
}

var brokenWatches = map[string]fault{
	"aWatchTellsNothing":        {[]string{"AChangeIsTold", "ALeaseThatIsGivenBackIsTold", "NamesThatNobodyWatchesAreNotTold"}, tells(func(string) string { return "" })},
	"aWatchTellsNothingOfDots":  {[]string{"AChangeIsTold"}, tells(func(name string) string { return map[bool]string{false: name}[strings.HasPrefix(name, "old.")] })},
	"aWatchTellsNothingOfClaim": {[]string{"AChangeIsTold"}, tells(func(name string) string { return map[bool]string{false: name}[strings.HasPrefix(name, ".")] })},
	"aWatchTellsOtherNames":     {[]string{"NamesThatNobodyWatchesAreNotTold", "AChangeIsTold"}, tells(func(name string) string { return name + ".record" })},
	"aWatchTellsOnce": {[]string{"AChangeIsTold"}, func(b *broken) {
		told := make(map[string]bool)
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			return b.Memory.Watch(ctx, names, ready, func(name string) {
				if !told[name] {
					changed(name)
				}
				told[name] = true
			})
		}
	}},
	"aWatchIsReadyBeforeItSees": {[]string{"AChangeIsTold", "TwoWatchesAreBothTold"}, func(b *broken) {
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			ready()
			time.Sleep(20 * time.Millisecond)
			return b.Memory.Watch(ctx, names, func() {}, changed)
		}
	}},
	"aWatchIsNeverReady": {[]string{"AWatchEndsWithItsContext"}, func(b *broken) {
		b.watch = func(ctx context.Context, names []string, _ func(), changed func(string)) error {
			return b.Memory.Watch(ctx, names, func() {}, changed)
		}
	}},
	"aWatchEndsWithoutAWord": {[]string{"AWatchEndsWithItsContext", "ABrokenWatchEndsAndBeginsAnew"}, func(b *broken) {
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			_ = b.Memory.Watch(ctx, names, ready, changed)
			return nil
		}
	}},
	"aWatchOutlivesItsEngine": {[]string{"AWatchEndsWithItsEngine"}, func(b *broken) {
		b.watch = b.ground.Engine().Watch
	}},
	"aBrokenWatchIsNotNoticed": {[]string{"ABrokenWatchEndsAndBeginsAnew"}, func(b *broken) {
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			_ = b.Memory.Watch(ctx, names, ready, changed)
			<-ctx.Done()
			return ctx.Err()
		}
	}},
	"aBrokenWatchGoesOnBlind": {[]string{"ABrokenWatchEndsAndBeginsAnew"}, func(b *broken) {
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			_ = b.Memory.Watch(ctx, names, ready, changed)
			ready()
			<-ctx.Done()
			return ctx.Err()
		}
	}},
	"aSecondWatchTakesTheFirstsPlace": {[]string{"TwoWatchesAreBothTold"}, func(b *broken) {
		var mu sync.Mutex
		told, n := 0, 0
		b.watch = func(ctx context.Context, names []string, ready func(), changed func(string)) error {
			mu.Lock()
			n++
			own := n
			told = own
			mu.Unlock()
			return b.Memory.Watch(ctx, names, ready, func(name string) {
				mu.Lock()
				defer mu.Unlock()
				if told == own {
					changed(name)
				}
			})
		}
	}},
	"aLeaseThatIsGivenBackIsNotTold": {[]string{"ALeaseThatIsGivenBackIsTold"}, func(b *broken) {
		b.release = func(_ context.Context, l *lease) error {
			p := b.ground.Place
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.leases[l.name].Holder == l.holder {
				delete(p.leases, l.name)
			}
			return nil
		}
	}},
	"aCreationIsNotTold": {[]string{"AChangeIsTold"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if ifTag != "" {
				return b.Memory.Put(ctx, name, data, ifTag)
			}
			p := b.ground.Place
			p.mu.Lock()
			watches := p.watches
			p.watches = nil
			p.mu.Unlock()
			tag, err := b.Memory.Put(ctx, name, data, ifTag)
			p.mu.Lock()
			p.watches = watches
			p.mu.Unlock()
			return tag, err
		}
	}},
}
