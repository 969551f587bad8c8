package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/store"
)

var errMade = errors.New("something")

// force writes whatever is there.
func (b *broken) force(ctx context.Context, name string, data []byte) (store.Tag, error) {
	for {
		o, err := b.Memory.Get(ctx, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		tag, err := b.Memory.Put(ctx, name, data, o.Tag)
		if !errors.Is(err, store.ErrConflict) {
			return tag, err
		}
	}
}

// renamed gives names to objects that are not theirs.
func renamed(of func(name string) string) func(*broken) {
	return func(b *broken) {
		b.get = func(ctx context.Context, name string) (store.Object, error) {
			o, err := b.Memory.Get(ctx, of(name))
			o.Name = name
			return o, err
		}
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			return b.Memory.Put(ctx, of(name), data, ifTag)
		}
	}
}

// kept writes other data than it was given.
func kept(data func([]byte) []byte) func(*broken) {
	return func(b *broken) {
		b.put = func(ctx context.Context, name string, written []byte, ifTag store.Tag) (store.Tag, error) {
			return b.Memory.Put(ctx, name, data(written), ifTag)
		}
	}
}

// retagged has tags of its own, made of what is written.
func retagged(tag func(o store.Object) store.Tag) func(*broken) {
	return func(b *broken) {
		shown := func(o store.Object, err error) (store.Object, error) {
			if err == nil {
				o.Tag = tag(o)
			}
			return o, err
		}
		b.get = func(ctx context.Context, name string) (store.Object, error) { return shown(b.Memory.Get(ctx, name)) }
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			was, err := b.Memory.Get(ctx, name)
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return "", err
			case tag(was) != ifTag:
				return "", store.ErrConflict
			default:
				ifTag = was.Tag
			}
			if _, err := b.Memory.Put(ctx, name, data, ifTag); err != nil {
				return "", err
			}
			o, err := b.get(ctx, name)
			return o.Tag, err
		}
	}
}

// aged changes the ages that are told.
func aged(age func(o store.Object) time.Duration) func(*broken) {
	return func(b *broken) {
		b.get = func(ctx context.Context, name string) (store.Object, error) {
			o, err := b.Memory.Get(ctx, name)
			o.Age = age(o)
			return o, err
		}
	}
}

var brokenObjects = map[string]fault{
	"whatIsNotThereIsEmpty": {[]string{"WhatIsNotThereIsNotFound"}, func(b *broken) {
		b.get = func(ctx context.Context, name string) (store.Object, error) {
			o, err := b.Memory.Get(ctx, name)
			if errors.Is(err, store.ErrNotFound) {
				return store.Object{Name: name}, nil
			}
			return o, err
		}
	}},
	"whatIsNotThereIsWrittenWithAnyTag": {[]string{"WhatIsNotThereIsNotFound"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if _, err := b.Memory.Get(ctx, name); errors.Is(err, store.ErrNotFound) {
				ifTag = ""
			}
			return b.Memory.Put(ctx, name, data, ifTag)
		}
	}},
	"aWriteComparesNothing": {[]string{"AWriteNeedsTheTagOfWhatIsThere", "AnotherEngineSeesWhatWasWritten", "OneOfManyThatWriteAtOnceSucceeds"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, _ store.Tag) (store.Tag, error) {
			return b.force(ctx, name, data)
		}
	}},
	"theEmptyTagWritesOverWhatIsThere": {[]string{"AWriteNeedsTheTagOfWhatIsThere"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if ifTag == "" {
				return b.force(ctx, name, data)
			}
			return b.Memory.Put(ctx, name, data, ifTag)
		}
	}},
	"aTagIsComparedByItsBeginning": {[]string{"AWriteNeedsTheTagOfWhatIsThere"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if o, err := b.Memory.Get(ctx, name); err == nil && strings.HasPrefix(string(ifTag), string(o.Tag)) {
				ifTag = o.Tag
			}
			return b.Memory.Put(ctx, name, data, ifTag)
		}
	}},
	"itComparesAndThenWrites": {[]string{"OneOfManyThatWriteAtOnceSucceeds"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if o, err := b.Memory.Get(ctx, name); err == nil && o.Tag != ifTag {
				return "", store.ErrConflict
			}
			time.Sleep(5 * time.Millisecond)
			return b.force(ctx, name, data)
		}
	}},
	"aConflictHasAnotherError": {[]string{"AWriteNeedsTheTagOfWhatIsThere", "OneOfManyThatWriteAtOnceSucceeds"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			tag, err := b.Memory.Put(ctx, name, data, ifTag)
			if err != nil {
				err = errMade
			}
			return tag, err
		}
	}},
	"anAcknowledgedWriteIsLost": {[]string{"WhatWasWrittenIsRead"}, func(b *broken) {
		b.put = func(context.Context, string, []byte, store.Tag) (store.Tag, error) { return "v0", nil }
	}},
	"oneWriteOfManyIsLost": {[]string{"ManyObjectsAreWrittenAtTheSameTime", "AListOfMoreThanAPageIsWhole"}, func(b *broken) {
		var n atomic.Int64
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if n.Add(1)%37 == 0 && ifTag == "" {
				return "v0", nil
			}
			return b.Memory.Put(ctx, name, data, ifTag)
		}
	}},
	"aWriteIsKeptInTheEngine": {[]string{"AnotherEngineSeesWhatWasWritten", "AClosedEngineFails", "AStoreIsOpenedAgain"}, func(b *broken) {
		own := NewPlace().Engine()
		b.get, b.put, b.list = own.Get, own.Put, own.List
	}},
	"theSameDataIsTheSameVersion": {[]string{"WhatWasWrittenIsRead", "NoTagComesTwice"}, retagged(func(o store.Object) store.Tag {
		return store.Tag(fmt.Sprint(crc32.ChecksumIEEE(o.Data), o.Name))
	})},
	"tagsComeAgainAfterTen": {[]string{"NoTagComesTwice"}, retagged(func(o store.Object) store.Tag {
		return "of " + o.Tag[len(o.Tag)-1:]
	})},
	"allObjectsHaveOneTag": {[]string{"AWriteNeedsTheTagOfWhatIsThere"}, retagged(func(o store.Object) store.Tag {
		return store.Tag(fmt.Sprint(len(o.Data)))
	})},
	"dotsAndHyphensAreOne":    {[]string{"NoTwoNamesAreOneObject"}, renamed(func(name string) string { return clip(name, ".", "-") })},
	"longNamesAreCut":         {[]string{"NoTwoNamesAreOneObject"}, renamed(func(name string) string { return name[:min(len(name), 62)] })},
	"claimsAreAClient":        {[]string{"NoTwoNamesAreOneObject"}, renamed(func(name string) string { return clip(name, ".claims/", "claims-") })},
	"binaryDataEndsAtZero":    {[]string{"DataMayBeAnyBytes"}, kept(func(d []byte) []byte { d, _, _ = bytes.Cut(d, []byte{0}); return d })},
	"dataIsMadeText":          {[]string{"DataMayBeAnyBytes"}, kept(func(d []byte) []byte { return bytes.ToValidUTF8(d, []byte("?")) })},
	"dataIsCutAt64KiB":        {[]string{"DataMayBeLarge"}, kept(func(d []byte) []byte { return d[:min(len(d), 64<<10)] })},
	"everythingIsOld":         {[]string{"AgeIsThatOfTheVersion"}, aged(func(store.Object) time.Duration { return time.Hour })},
	"everythingIsNew":         {[]string{"AgeIsThatOfTheVersion"}, aged(func(store.Object) time.Duration { return 0 })},
	"agesAreOfAnotherClock":   {[]string{"AgeIsThatOfTheVersion"}, aged(func(o store.Object) time.Duration { return o.Age - 5*time.Second })},
	"theAgeIsThatOfTheObject": {[]string{"AgeIsThatOfTheVersion"}, oldestAge},
	"aReadGoesOnAfterItsEnd": {[]string{"ACallWhoseTimeIsOverWritesNothing"}, func(b *broken) {
		b.get = func(ctx context.Context, name string) (store.Object, error) {
			return b.Memory.Get(context.WithoutCancel(ctx), name)
		}
	}},
	"aWriteAfterItsEndSaysItWasNone": {[]string{"ACallWhoseTimeIsOverWritesNothing"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			tag, err := b.Memory.Put(context.WithoutCancel(ctx), name, data, ifTag)
			if ctx.Err() != nil {
				return "", store.ErrUnavailable
			}
			return tag, err
		}
	}},
	"readsAreOfAReplica": {[]string{"AnotherEngineSeesWhatWasWritten", "WhatWasWrittenIsRead"}, func(b *broken) {
		read := make(map[string]store.Object)
		var mu sync.Mutex
		b.get = func(ctx context.Context, name string) (store.Object, error) {
			mu.Lock()
			defer mu.Unlock()
			o, err := b.Memory.Get(ctx, name)
			if was, ok := read[name]; ok {
				read[name] = o
				return was, nil
			}
			read[name] = o
			return o, err
		}
	}},
	"theCallersDataIsKept": {[]string{"WhatAnEngineWasGivenIsTheCallers"}, func(b *broken) {
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			tag, err := b.Memory.Put(ctx, name, data, ifTag)
			if err == nil {
				b.ground.Damage(name, data, true)
			}
			return tag, err
		}
	}},
	"listedDataIsTheEnginesOwn": {[]string{"WhatAnEngineWasGivenIsTheCallers"}, func(b *broken) {
		b.list = func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
			return b.Memory.List(ctx, names, data, func(o store.Object) bool {
				if data {
					b.ground.Damage(o.Name, o.Data, true)
				}
				return yield(o)
			})
		}
	}},
	"aCutWriteIsRepeated": {[]string{"ACutWriteIsNotRepeated"}, func(b *broken) {
		var cut atomic.Bool
		b.ground.onceCut(func() { cut.Store(true) })
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			tag, err := b.Memory.Put(ctx, name, data, ifTag)
			if cut.Swap(false) {
				tag, err = b.Memory.Put(ctx, name, data, ifTag)
			}
			return tag, err
		}
	}},
	"aCutWriteCountsAsNone": {[]string{"ACutWriteIsNotRepeated"}, func(b *broken) {
		var cut atomic.Bool
		b.ground.onceCut(func() { cut.Store(true) })
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			tag, err := b.Memory.Put(ctx, name, data, ifTag)
			if err == nil && cut.Swap(false) {
				return "", store.ErrUnavailable
			}
			return tag, err
		}
	}},
	"aCutWriteCountsAsDone": {[]string{"ACutWriteIsNotRepeated", "ABrokenWatchEndsAndBeginsAnew"}, func(b *broken) {
		var cut atomic.Bool
		b.ground.onceCut(func() { cut.Store(true) })
		b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
			if cut.Swap(false) {
				return "v0", nil
			}
			return b.Memory.Put(ctx, name, data, ifTag)
		}
	}},
}

// oldestAge counts from the first version.
func oldestAge(b *broken) {
	var mu sync.Mutex
	first := make(map[string]time.Time)
	b.put = func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
		mu.Lock()
		if first[name].IsZero() {
			first[name] = time.Now()
		}
		mu.Unlock()
		return b.Memory.Put(ctx, name, data, ifTag)
	}
	b.get = func(ctx context.Context, name string) (store.Object, error) {
		o, err := b.Memory.Get(ctx, name)
		mu.Lock()
		defer mu.Unlock()
		o.Age = time.Since(first[name])
		return o, err
	}
}
