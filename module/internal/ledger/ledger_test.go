package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"lamplighter/module/internal/record"
)

func entry(token string, said Said) Entry {
	return Entry{Token: record.FingerprintOf(token), Said: said, Binding: 1, Client: "erp", Place: "/a/erp.json", Store: "/a"}
}

func wantEntry(t *testing.T, l *Ledger, token string, want *Entry) {
	t.Helper()
	got, ok := l.Of(record.FingerprintOf(token))
	if ok != (want != nil) || ok && got != *want {
		t.Errorf("of %s is known %+v, %v; want %+v", token, got, ok, want)
	}
}

func TestOtherProcessesKnowWhatWasNoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lamplighter", "spent")
	one, other := New(path), New(path)
	wantEntry(t, other, "seed", nil)
	consumed, refused := entry("seed", Consumed), entry("seed", Refused)
	one.Note(consumed, false)
	wantEntry(t, other, "seed", &consumed)
	other.Note(refused, false)
	wantEntry(t, one, "seed", &refused)
	wantEntry(t, New(path), "seed", &refused)
	one.Note(entry("seed", Free), false)
	wantEntry(t, other, "seed", nil)
	for _, file := range []string{path, path + ".lock"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	before, _ := os.Stat(path)
	for range 3 { // nothing new
		one.Note(entry("seed", Free), false)
		one.Note(entry("never seen", Free), false)
	}
	if after, _ := os.Stat(path); after.Size() != before.Size() {
		t.Error("it grows for nothing")
	}
	if one.Fault() != nil {
		t.Error(one.Fault())
	}
}

func TestWhatCannotBeWrittenIsKnownHereAllTheSame(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lamplighter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := New(filepath.Join(dir, "lamplighter", "spent"))
	e := entry("seed", Consumed)
	l.Note(e, false)
	wantEntry(t, l, "seed", &e)
	if l.Fault() == nil {
		t.Error("nothing is wrong")
	}
}

func TestDamagedLinesAreSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spent")
	if err := os.WriteFile(path, []byte("bad\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := entry("seed", Consumed)
	New(path).Note(e, false)
	wantEntry(t, New(path), "seed", &e)
}

func TestItIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes very many lines")
	}
	path := filepath.Join(t.TempDir(), "spent")
	l := New(path)
	for i := range 2*kept + 100 {
		l.Note(entry(fmt.Sprint(i), Consumed), false)
	}
	last := entry(fmt.Sprint(2*kept+99), Consumed)
	wantEntry(t, l, fmt.Sprint(2*kept+99), &last)
	wantEntry(t, New(path), fmt.Sprint(2*kept+99), &last)
	wantEntry(t, l, "0", nil)
	if info, _ := os.Stat(path); info.Size() > 2*kept*200 {
		t.Errorf("it has %d bytes", info.Size())
	}
	if n := len(l.known); n > kept+kept/8 {
		t.Errorf("%d entries are in memory", n)
	}
	l.Note(entry("an old one", Consumed), true)
	wantEntry(t, l, "an old one", nil)
}

func TestManyMayWriteAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spent")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			l := New(path)
			for j := range 20 {
				l.Note(entry(fmt.Sprint(i, j), Consumed), false)
			}
		})
	}
	wg.Wait()
	l := New(path)
	for i := range 4 {
		for j := range 20 {
			e := entry(fmt.Sprint(i, j), Consumed)
			wantEntry(t, l, fmt.Sprint(i, j), &e)
		}
	}
}
