package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"lamplighter/module/store"
)

// lists are the tests of List.
var lists = map[string]func(*suite, *testing.T){
	"AnEmptyPlaceHasNoObjects":    (*suite).empty,
	"AListHasEachObjectOnce":      (*suite).complete,
	"AListOfNamesHasNoOthers":     (*suite).chosen,
	"AListIsAsNewAsARead":         (*suite).fresh,
	"AListEndsWhenItIsToldTo":     (*suite).early,
	"AListOfMoreThanAPageIsWhole": (*suite).pages,
	"AListWhoseTimeIsOverFails":   (*suite).listOver,
}

// listed returns what List yields.
func listed(t *testing.T, e store.Engine, names []string, data bool) map[string]store.Object {
	t.Helper()
	found := make(map[string]store.Object)
	err := e.List(within(t), names, data, func(o store.Object) bool {
		if _, twice := found[o.Name]; twice {
			t.Errorf("%q is listed twice", o.Name)
		}
		found[o.Name] = o
		return true
	})
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return found
}

func (s *suite) empty(t *testing.T) {
	e := s.opened(t)
	for _, names := range [][]string{nil, {"nobody"}} {
		if found := listed(t, e, names, true); len(found) != 0 {
			t.Errorf("list %q: %v", names, found)
		}
	}
}

func (s *suite) complete(t *testing.T) {
	e := s.opened(t)
	want := map[string]string{"a": "1", "a.b": "2", "b": "\x00\xff", store.ClaimsName("ff"): "4"}
	tags := make(map[string]store.Tag)
	for name, data := range want {
		tags[name] = put(t, e, name, data, "")
	}
	take(t, e, "a", "holder") // a lease is no object
	for _, data := range []bool{true, false} {
		found := listed(t, e, nil, data)
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Errorf("listed %q", got)
		}
		for name, o := range found {
			if o.Tag != tags[name] {
				t.Errorf("%q has the tag %q, not %q", name, o.Tag, tags[name])
			}
			if data && string(o.Data) != want[name] {
				t.Errorf("%q is %q", name, o.Data)
			}
			if !data && o.Data != nil {
				t.Errorf("%q was fetched with its data", name)
			}
		}
	}
}

func (s *suite) chosen(t *testing.T) {
	e := s.opened(t)
	for _, name := range []string{"a", "b", "c", "d.e", store.ClaimsName("12")} {
		put(t, e, name, "of "+name, "")
	}
	names := []string{"d.e", "nobody", "b", store.ClaimsName("12")}
	for _, data := range []bool{true, false} {
		found := listed(t, e, names, data)
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, []string{store.ClaimsName("12"), "b", "d.e"}) {
			t.Errorf("listed %q", got)
		}
		for name, o := range found {
			if data && string(o.Data) != "of "+name {
				t.Errorf("%q is %q", name, o.Data)
			}
		}
	}
}

func (s *suite) fresh(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	tag := store.Tag("")
	for i := range 3 {
		data := fmt.Sprint(i)
		tag = put(t, b, "client", data, tag)
		put(t, b, "client-"+data, data, "")
		// Where no right to list all can be granted, all are those that it was asked for.
		for _, names := range [][]string{{"client", "client-0", "client-1", "client-2"}, nil} {
			found := listed(t, a, names, true)
			if o := found["client"]; string(o.Data) != data || o.Tag != tag || len(found) != i+2 {
				t.Errorf("listed are %d objects of %d, with %q of tag %q, not %q of %q", len(found), i+2, o.Data, o.Tag, data, tag)
			}
			if o := listed(t, a, names, false)["client"]; o.Tag != tag {
				t.Errorf("the listed tag is %q, not %q", o.Tag, tag)
			}
		}
	}
}

func (s *suite) early(t *testing.T) {
	e := s.opened(t)
	for i := range 5 {
		put(t, e, fmt.Sprintf("c%d", i), "x", "")
	}
	calls := 0
	if err := e.List(within(t), nil, true, func(store.Object) bool { calls++; return calls < 2 }); err != nil || calls != 2 {
		t.Errorf("%d objects were listed of the 2 wanted: %v", calls, err)
	}
}

func (s *suite) pages(t *testing.T) {
	e := s.opened(t)
	const clients = 700
	names := make([]string, clients)
	for i := range names {
		names[i] = fmt.Sprintf("client-%d", i)
		put(t, e, names[i], "x", "")
	}
	for _, wanted := range [][]string{nil, names} {
		if found := listed(t, e, wanted, true); len(found) != clients {
			t.Errorf("%d objects were listed of %d", len(found), clients)
		}
	}
}

func (s *suite) listOver(t *testing.T) {
	e := s.opened(t)
	put(t, e, "client", "x", "")
	if err := e.List(ended(t), nil, true, func(store.Object) bool { return true }); err == nil {
		t.Error("a list after its end says nothing of it")
	}
}

// ended is a context that is over.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
