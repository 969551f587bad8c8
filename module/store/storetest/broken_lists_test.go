package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"lamplighter/module/store"
)

// relisted changes what a list has.
func relisted(change func(names []string, data bool, found []store.Object) []store.Object) func(*broken) {
	return func(b *broken) {
		b.list = func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
			var found []store.Object
			if err := b.Memory.List(ctx, names, true, func(o store.Object) bool { found = append(found, o); return true }); err != nil {
				return err
			}
			for _, o := range change(names, data, found) {
				if !data {
					o.Data = nil
				}
				if !yield(o) {
					return nil
				}
			}
			return nil
		}
	}
}

var brokenLists = map[string]fault{
	"aListHasWhatIsNotThere": {[]string{"AnEmptyPlaceHasNoObjects", "AListOfNamesHasNoOthers"}, relisted(func(names []string, _ bool, found []store.Object) []store.Object {
		for _, name := range names {
			if !slices.ContainsFunc(found, func(o store.Object) bool { return o.Name == name }) {
				found = append(found, store.Object{Name: name})
			}
		}
		return found
	})},
	"aListHasOneTwice": {[]string{"AListHasEachObjectOnce"}, relisted(func(_ []string, _ bool, found []store.Object) []store.Object {
		return append(found, found[:min(1, len(found))]...)
	})},
	"aListOmitsClaims": {[]string{"AListHasEachObjectOnce", "NoTwoNamesAreOneObject"}, relisted(func(_ []string, _ bool, found []store.Object) []store.Object {
		return slices.DeleteFunc(found, func(o store.Object) bool { return strings.HasPrefix(o.Name, ".") })
	})},
	"aListOmitsTheLast": {[]string{"AListHasEachObjectOnce", "ManyObjectsAreWrittenAtTheSameTime"}, relisted(func(_ []string, _ bool, found []store.Object) []store.Object {
		return found[:max(0, len(found)-1)]
	})},
	"aListOfTagsHasOldOnes": {[]string{"AListHasEachObjectOnce", "AListIsAsNewAsARead"}, relisted(func(_ []string, data bool, found []store.Object) []store.Object {
		for i := range found {
			if !data {
				found[i].Tag += "-"
			}
		}
		return found
	})},
	"aListIsOnePage": {[]string{"AListOfMoreThanAPageIsWhole"}, relisted(func(_ []string, _ bool, found []store.Object) []store.Object {
		return found[:min(500, len(found))]
	})},
	"aListOfTagsHasData": {[]string{"AListHasEachObjectOnce"}, func(b *broken) {
		b.list = func(ctx context.Context, names []string, _ bool, yield func(store.Object) bool) error {
			return b.Memory.List(ctx, names, true, yield)
		}
	}},
	"aListOfNamesHasAll": {[]string{"AListOfNamesHasNoOthers"}, func(b *broken) {
		b.list = func(ctx context.Context, _ []string, data bool, yield func(store.Object) bool) error {
			return b.Memory.List(ctx, nil, data, yield)
		}
	}},
	"aNameIsAPrefix": {[]string{"NoTwoNamesAreOneObject"}, func(b *broken) {
		b.list = func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
			return b.Memory.List(ctx, nil, data, func(o store.Object) bool {
				if names != nil && !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(o.Name, name) }) {
					return true
				}
				return yield(o)
			})
		}
	}},
	"aListIsKept": {[]string{"AListIsAsNewAsARead"}, func(b *broken) {
		var mu sync.Mutex
		var kept []store.Object
		b.list = func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
			mu.Lock()
			defer mu.Unlock()
			if len(kept) == 0 {
				if err := b.Memory.List(ctx, nil, true, func(o store.Object) bool { kept = append(kept, o); return true }); err != nil {
					return err
				}
			}
			for _, o := range kept {
				if names == nil || slices.Contains(names, o.Name) {
					yield(o)
				}
			}
			return nil
		}
	}},
	"aListDoesNotEndEarly": {[]string{"AListEndsWhenItIsToldTo"}, func(b *broken) {
		b.list = func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
			return b.Memory.List(ctx, names, data, func(o store.Object) bool { yield(o); return true })
		}
	}},
	"aListGoesOnAfterItsEnd": {[]string{"AListWhoseTimeIsOverFails"}, func(b *broken) {
		b.list = func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
			return b.Memory.List(context.WithoutCancel(ctx), names, data, yield)
		}
	}},
	"aListTellsTheAgeOfAnHour": {[]string{"AgeIsThatOfTheVersion"}, relisted(func(_ []string, _ bool, found []store.Object) []store.Object {
		for i := range found {
			found[i].Age += 1e12
		}
		return found
	})},
}
