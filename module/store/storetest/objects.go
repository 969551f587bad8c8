package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/store"
)

// objects are the tests of Get and Put.
var objects = map[string]func(*suite, *testing.T){
	"WhatIsNotThereIsNotFound":           (*suite).absent,
	"WhatWasWrittenIsRead":               (*suite).written,
	"AWriteNeedsTheTagOfWhatIsThere":     (*suite).compares,
	"NoTagComesTwice":                    (*suite).tags,
	"OneOfManyThatWriteAtOnceSucceeds":   (*suite).races,
	"NoTwoNamesAreOneObject":             (*suite).names,
	"DataMayBeAnyBytes":                  (*suite).binary,
	"DataMayBeLarge":                     (*suite).large,
	"AgeIsThatOfTheVersion":              (*suite).age,
	"ACallWhoseTimeIsOverWritesNothing":  (*suite).over,
	"AnotherEngineSeesWhatWasWritten":    (*suite).shared,
	"WhatAnEngineWasGivenIsTheCallers":   (*suite).copies,
	"ManyObjectsAreWrittenAtTheSameTime": (*suite).many,
	"ACutWriteIsNotRepeated":             (*suite).cutWrites,
}

func (s *suite) absent(t *testing.T) {
	e := s.opened(t)
	for _, name := range []string{"nobody", store.ClaimsName("ab")} {
		if o, err := e.Get(within(t), name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %q: %v, %v", name, o, err)
		}
	}
	if _, err := e.Put(within(t), "nobody", []byte("x"), "1"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("something was written over what is not there: %v", err)
	}
	if _, err := e.Get(within(t), "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the refused write is there: %v", err)
	}
}

func (s *suite) written(t *testing.T) {
	e := s.opened(t)
	first := put(t, e, "client", "one", "")
	expect(t, e, "client", "one", first)
	second := put(t, e, "client", "two", first)
	expect(t, e, "client", "two", second)
	same := put(t, e, "client", "two", second)
	if same == second {
		t.Error("the same data is the same version")
	}
	expect(t, e, "client", "two", same)
}

func (s *suite) compares(t *testing.T) {
	e := s.opened(t)
	first := put(t, e, "client", "one", "")
	second := put(t, e, "client", "two", first)
	for _, tag := range []store.Tag{"", first, "no tag", second + "0", store.Tag(strings.Repeat("9", 40))} {
		if _, err := e.Put(within(t), "client", []byte("three"), tag); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a write with tag %q: %v", tag, err)
		}
	}
	other := put(t, e, "other", "one", "")
	if other == second {
		t.Fatalf("two objects have the tag %q", other)
	}
	expect(t, e, "client", "two", second)
}

func (s *suite) tags(t *testing.T) {
	e := s.opened(t)
	seen := make(map[store.Tag]bool)
	var last store.Tag
	for i := range 50 {
		last = put(t, e, "client", strconv.Itoa(i%2), last)
		if seen[last] {
			t.Fatalf("the tag %q comes twice", last)
		}
		seen[last] = true
	}
}

func (s *suite) races(t *testing.T) {
	engines := []store.Engine{s.opened(t), s.opened(t)}
	const writers, rounds = 8, 10
	last := store.Tag("")
	for round := range rounds {
		var mu sync.Mutex
		won := make(map[string]store.Tag)
		atOnce(writers, func(w int) {
			data := fmt.Sprintf("%d of %d", round, w)
			switch tag, err := engines[w%len(engines)].Put(within(t), "client", []byte(data), last); {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				won[data] = tag
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("put: %v", err)
			}
		})
		if len(won) != 1 {
			t.Fatalf("%d writers made version %d", len(won), round+1)
		}
		for data, tag := range won {
			expect(t, engines[round%len(engines)], "client", data, tag)
			last = tag
		}
	}
}

// atOnce calls a function n times, as much at once as can be.
func atOnce(n int, do func(i int)) {
	begin := make(chan struct{})
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i := range n {
		all.Go(func() {
			ready.Done()
			<-begin
			do(i)
		})
	}
	ready.Wait()
	close(begin)
	all.Wait()
}

// lookalikes are names that a careless engine makes one of.
func lookalikes() []string {
	return []string{
		"a", "a.b", "a-b", "a_b", "a--b", "a.b.c", "a.b-c", "a-b.c", "a.", "a-", "a_", "a..b",
		"claims", "claims-ab", "claims.ab", "claims_ab", "claims-ab.", store.ClaimsName("ab"), store.ClaimsName("ac"), store.ClaimsName("00"),
		"0", "00", "0a", "record", "lease", "a.record", "a.lease", "a-lease", "a-record", "leases", "records",
		strings.Repeat("n", 62), strings.Repeat("n", 63), strings.Repeat("n", 62) + "-", strings.Repeat("n", 62) + "_",
	}
}

func (s *suite) names(t *testing.T) {
	e := s.opened(t)
	tags := make(map[string]store.Tag)
	for _, name := range lookalikes() {
		tags[name] = put(t, e, name, "of "+name, "")
	}
	places := make(map[string]string)
	for _, name := range lookalikes() {
		expect(t, e, name, "of "+name, tags[name])
		place := e.Describe(name)
		if other, ok := places[place]; ok {
			t.Errorf("%q and %q are both described as %s", name, other, place)
		}
		places[place] = name
	}
	found := make(map[string]store.Tag)
	for name, o := range listed(t, e, nil, true) {
		found[name] = o.Tag
	}
	if !maps.Equal(found, tags) {
		t.Errorf("there are %v, not %v", found, tags)
	}
	for _, name := range lookalikes() {
		if found := listed(t, e, []string{name}, false); len(found) != 1 || found[name].Tag != tags[name] {
			t.Errorf("asked for %q alone, there are %v", name, found)
		}
	}
	held := make(map[string]store.Lease)
	for _, name := range lookalikes() {
		if strings.HasPrefix(name, ".") {
			continue // claims have no lease
		}
		held[name] = take(t, e, name, "holder of "+name)
	}
	for name, lease := range held {
		if err := lease.Renew(within(t)); err != nil {
			t.Errorf("renew the lease of %q: %v", name, err)
		}
		expect(t, e, name, "of "+name, tags[name])
	}
}

func (s *suite) binary(t *testing.T) {
	e := s.opened(t)
	every := make([]byte, 0, 256)
	for b := range 256 {
		every = append(every, byte(b))
	}
	tag := store.Tag("")
	for _, data := range []string{string(every), "\x00", "\x00\x00tail\x00", "not UTF-8: \xff\xfe\xc3", `{"a":"\u0000"}`, "'; --\\\r\n", "%s %d ${x} {env.X}", "0"} {
		tag = put(t, e, "client", data, tag)
		expect(t, e, "client", data, tag)
	}
}

// maxData is the largest object that an engine has to keep.
const maxData = 256 << 10

func (s *suite) large(t *testing.T) {
	e := s.opened(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // it is no secret, but cannot be compressed
	tag := store.Tag("")
	for _, size := range []int{1, 1400, 21 << 10, maxData} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(random.Uint32()) //nolint:gosec // any byte will do
		}
		tag = put(t, e, "client", string(data), tag)
		if o := get(t, e, "client"); !bytes.Equal(o.Data, data) {
			t.Fatalf("%d bytes are not what was written", size)
		}
	}
}

func (s *suite) age(t *testing.T) {
	e := s.opened(t)
	began := time.Now()
	first := put(t, e, "client", "one", "")
	time.Sleep(2 * time.Second)
	o := get(t, e, "client")
	if o.Age == store.UnknownAge {
		t.Skip("the store cannot say how old a version is")
	}
	// The clocks of some servers tell seconds only.
	if low, high := 900*time.Millisecond, time.Since(began)+1100*time.Millisecond; o.Age < low || o.Age > high {
		t.Errorf("after 2s the age is %s", o.Age)
	}
	put(t, e, "client", "two", first)
	if o := get(t, e, "client"); o.Age < 0 || o.Age > 1900*time.Millisecond {
		t.Errorf("a new version has the age %s", o.Age)
	}
	for _, o := range listed(t, e, nil, true) {
		if o.Age < 0 || o.Age > time.Since(began) {
			t.Errorf("listed with the age %s", o.Age)
		}
	}
}

func (s *suite) over(t *testing.T) {
	e := s.opened(t)
	first := put(t, e, "client", "one", "")
	ctx := ended(t)
	_, err := e.Get(ctx, "client")
	if err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("get after its end: %v", err)
	}
	s.hides(t, fmt.Sprint(err))
	_, err = e.Put(ctx, "client", []byte("two"), first)
	s.hides(t, fmt.Sprint(err))
	switch {
	case err == nil:
		t.Error("a write succeeded after its end")
	case !errors.Is(err, store.ErrUnknown):
		expect(t, e, "client", "one", first)
	}
}

func (s *suite) shared(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	first := put(t, a, "client", "one", "")
	expect(t, b, "client", "one", first)
	second := put(t, b, "client", "two", first)
	if _, err := a.Put(within(t), "client", []byte("three"), first); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a write over what another engine wrote: %v", err)
	}
	expect(t, a, "client", "two", second)
	third := put(t, a, "client", "three", second)
	expect(t, b, "client", "three", third) // which has read it before
}

func (s *suite) copies(t *testing.T) {
	e := s.opened(t)
	data := []byte("one")
	tag, err := e.Put(within(t), "client", data, "")
	if err != nil {
		t.Fatal(err)
	}
	copy(data, "xxx")
	copy(get(t, e, "client").Data, "yyy")
	copy(listed(t, e, nil, true)["client"].Data, "zzz")
	expect(t, e, "client", "one", tag)
}

func (s *suite) many(t *testing.T) {
	e := s.opened(t)
	const clients = 40
	atOnce(clients, func(i int) {
		name := fmt.Sprintf("client-%d", i)
		tag, err := e.Put(within(t), name, []byte("one"), "")
		if err == nil {
			_, err = e.Put(within(t), name, []byte("two"), tag)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	if found := listed(t, e, nil, false); len(found) != clients {
		t.Errorf("there are %d objects of %d", len(found), clients)
	}
}

// cutWrites writes alone while connections break: a conflict would be one with a write of
// its own, which was repeated.
func (s *suite) cutWrites(t *testing.T) {
	if s.cut == nil {
		t.Skip("nothing breaks the connections of this engine")
	}
	e, reader := s.opened(t), s.opened(t)
	tag := put(t, e, "client", "0", "")
	enough := time.Now().Add(s.patience) // a server that has to be restarted for it takes its time
	for i := 0; i < 30 && time.Now().Before(enough); i++ {
		data, over := strconv.Itoa(i+1), make(chan struct{})
		go func() {
			defer close(over)
			s.cut(t)
		}()
		_, err := e.Put(within(t), "client", []byte(data), tag)
		<-over
		var o store.Object
		eventually(t, "read after the connection broke", func() (err error) {
			o, err = reader.Get(within(t), "client")
			return err
		})
		switch written := string(o.Data) == data; {
		case errors.Is(err, store.ErrConflict):
			t.Fatalf("nobody else writes, and still: %v", err)
		case err == nil && !written:
			t.Fatalf("an acknowledged write is lost: %q, not %q", o.Data, data)
		case err != nil && !errors.Is(err, store.ErrUnknown) && written:
			t.Fatalf("it was written, and said was: %v", err)
		}
		tag = o.Tag
	}
}
