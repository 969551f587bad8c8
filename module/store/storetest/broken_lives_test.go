package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"lamplighter/module/store"
)

// left does something once the engine is closed that only an open one may.
func left(do func(b *broken)) func(*broken) {
	return func(b *broken) {
		other := b.ground.Engine()
		b.close = func() error {
			b.get, b.put, b.list, b.acquire, b.watch = b.Memory.Get, b.Memory.Put, b.Memory.List, b.Memory.Acquire, b.Memory.Watch
			err := b.Memory.Close()
			b.Memory = other
			do(b)
			return err
		}
	}
}

var brokenLives = map[string]fault{
	"openingEmptiesThePlace": {[]string{"AStoreIsOpenedAgain"}, func(b *broken) {
		b.open = func(ctx context.Context) error {
			b.ground.Empty()
			return b.Memory.Open(ctx)
		}
	}},
	"aStoreIsOpenedOnce": {[]string{"AStoreIsOpenedAgain"}, func(b *broken) {
		var opened atomic.Bool
		b.open = func(ctx context.Context) error {
			if opened.Swap(true) {
				return errMade
			}
			return b.Memory.Open(ctx)
		}
	}},
	"aFailureToOpenStays": {[]string{"AnOpenWhoseTimeIsOverFails"}, func(b *broken) {
		var failed atomic.Bool
		b.open = func(ctx context.Context) error {
			if failed.Load() {
				return errMade
			}
			err := b.Memory.Open(ctx)
			failed.Store(err != nil)
			return err
		}
	}},
	"openingTakesItsTime": {[]string{"AnOpenWhoseTimeIsOverFails"}, func(b *broken) {
		b.open = func(ctx context.Context) error {
			if ctx.Err() != nil {
				time.Sleep(time.Second)
			}
			return b.Memory.Open(ctx)
		}
	}},
	"itOpensAfterTheEnd": {[]string{"AnOpenWhoseTimeIsOverFails"}, func(b *broken) {
		b.open = func(context.Context) error { return nil }
	}},
	"aClosedEngineReads":       {[]string{"AClosedEngineFails"}, left(func(b *broken) { b.get = b.Memory.Get })},
	"aClosedEngineWrites":      {[]string{"AClosedEngineFails"}, left(func(b *broken) { b.put = b.Memory.Put })},
	"aClosedEngineLists":       {[]string{"AClosedEngineFails"}, left(func(b *broken) { b.list = b.Memory.List })},
	"aClosedEngineTakesLeases": {[]string{"AClosedEngineFails"}, left(func(b *broken) { b.acquire = b.Memory.Acquire })},
	"aClosedEngineRenews": {[]string{"AClosedEngineFails"}, left(func(b *broken) {
		b.renew = func(ctx context.Context, l *lease) error { return b.ground.renew(l.name, l.holder) }
	})},
	"aClosedEngineWatches": {[]string{"AClosedEngineFails"}, left(func(b *broken) { b.watch = b.Memory.Watch })},
	"closingTakesWhatIsThere": {[]string{"AClosedEngineFails"}, func(b *broken) {
		b.close = func() error { b.ground.Empty(); return b.Memory.Close() }
	}},
	"whatIsNotOpenedCannotBeClosed": {[]string{"AnEngineThatIsNotOpenedIsQuiet"}, func(b *broken) {
		var opened atomic.Bool
		b.open = func(ctx context.Context) error { opened.Store(true); return b.Memory.Open(ctx) }
		b.close = func() error {
			if !opened.Load() {
				return errMade
			}
			return b.Memory.Close()
		}
	}},
	"thePlaceHasNoNameBeforeItIsOpened": {[]string{"AnEngineThatIsNotOpenedIsQuiet"}, func(b *broken) {
		var opened atomic.Bool
		b.open = func(ctx context.Context) error { opened.Store(true); return b.Memory.Open(ctx) }
		b.describe = func(name string) string {
			if !opened.Load() {
				return ""
			}
			return b.Memory.Describe(name)
		}
	}},
	"thePlaceShowsASecret":     {[]string{"ThePlaceIsNamedWithoutSecrets"}, func(b *broken) { b.describe = func(name string) string { return name + " of user:" + secret + "@db" } }},
	"allPlacesHaveOneName":     {[]string{"ThePlaceIsNamedWithoutSecrets", "NoTwoNamesAreOneObject"}, func(b *broken) { b.describe = func(string) string { return "the store" } }},
	"thePlaceIsNamedByControl": {[]string{"ThePlaceIsNamedWithoutSecrets"}, func(b *broken) { b.describe = func(name string) string { return "the\nstore " + name } }},
	"theEpochShowsASecret":     {[]string{"ThePlaceIsNamedWithoutSecrets"}, func(b *broken) { b.epoch = func() string { return secret } }},
	"theEpochIsAnothersEach":   {[]string{"TheEpochStays"}, func(b *broken) { own := fmt.Sprint("epoch ", b.ground.made); b.epoch = func() string { return own } }},
	"theEpochCounts":           {[]string{"TheEpochStays"}, func(b *broken) { var n atomic.Int64; b.epoch = func() string { return fmt.Sprint(n.Add(1)) } }},
	"errorsShowASecret": {[]string{"AClosedEngineFails", "ACallWhoseTimeIsOverWritesNothing", "AnOpenWhoseTimeIsOverFails", "ALeaseWhoseTimeToTryIsOverIsNotTaken"}, func(b *broken) {
		told := func(err error) error {
			if err == nil || errors.Is(err, store.ErrNotFound) {
				return err
			}
			return fmt.Errorf("user:%s@db: %w", secret, err)
		}
		b.open = func(ctx context.Context) error { return told(b.Memory.Open(ctx)) }
		b.get = func(ctx context.Context, name string) (store.Object, error) {
			o, err := b.Memory.Get(ctx, name)
			return o, told(err)
		}
		b.acquire = func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
			l, held, err := b.Memory.Acquire(ctx, name, holder, over)
			return l, held, told(err)
		}
	}},
}
