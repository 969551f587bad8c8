package filestore

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"

	"lamplighter/module/internal/record"
)

// bell counts calls and lets a test wait for one.
type bell struct{ rung chan struct{} }

func newBell() *bell       { return &bell{make(chan struct{}, 1000)} }
func (b *bell) ring()      { b.rung <- struct{}{} }
func (b *bell) count() int { return len(b.rung) }

func (b *bell) wait(t *testing.T) {
	t.Helper()
	select {
	case <-b.rung:
	case <-time.After(patience):
		t.Fatal("not called")
	}
}

// withoutEvents makes a store that cannot follow events.
func withoutEvents(st *File) *File {
	st.watcher.events = func(string) (*fsnotify.Watcher, error) { return nil, errors.New("too many") }
	st.watcher.poll = 5 * time.Millisecond
	return st
}

func TestOwnSavesAreNoNews(t *testing.T) {
	for name, follower := range map[string]func(*File) *File{
		"events":  func(st *File) *File { return st },
		"polling": withoutEvents,
	} {
		t.Run(name, func(t *testing.T) {
			st := follower(tempStore(t))
			mustOpen(t, st)
			own, marker := newBell(), newBell()
			defer st.Watch("erp", own.ring)()
			defer st.Watch("marker", marker.ring)()
			other := NewFile(st.dir)
			for rev := range uint64(5) {
				mustSave(t, st, &record.Record{}, rev)
				// What comes later is told later; polling keeps no order within a round.
				for i := range uint64(2) {
					if err := other.Save(t.Context(), "marker", &record.Record{}, 2*rev+i); err != nil {
						t.Fatal(err)
					}
					marker.wait(t)
				}
			}
			if own.count() != 0 {
				t.Errorf("called %d times for its own saves", own.count())
			}
			mustSave(t, other, &record.Record{}, 5)
			own.wait(t)
		})
	}
}

func TestWatchPollsWhereThereAreNoEvents(t *testing.T) {
	st := withoutEvents(tempStore(t))
	b := newBell()
	defer st.Watch("erp", b.ring)()
	writer := NewFile(st.dir)
	for rev := range uint64(3) {
		mustSave(t, writer, &record.Record{}, rev)
		b.wait(t)
	}
	if err := os.Remove(st.Describe("erp")); err != nil {
		t.Fatal(err)
	}
	b.wait(t)
}

func TestWatchFollowsADirectoryThatAppearsAndGoesAndComesBack(t *testing.T) {
	st := tempStore(t)
	st.watcher.poll = 5 * time.Millisecond
	b := newBell()
	defer st.Watch("erp", b.ring)()
	for range 3 {
		mustSave(t, NewFile(st.dir), &record.Record{}, 0)
		b.wait(t)
		if err := os.RemoveAll(st.dir); err != nil {
			t.Fatal(err)
		}
		b.wait(t)
	}
}

func TestTheWatchingGoroutineEndsWithTheLastWatch(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, st := range []*File{tempStore(t), withoutEvents(tempStore(t))} {
		mustOpen(t, st)
		for range 3 {
			first, second := st.Watch("erp", func() {}), st.Watch("crm", func() {})
			first()
			first()
			second()
		}
		if st.watcher.session != nil || len(st.watcher.records) != 0 {
			t.Error("the last stop left something behind")
		}
	}
}

func TestACallbackMayUseTheStore(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	b := newBell()
	stop := make(chan func(), 1)
	defer st.Watch("erp", func() {
		rec, err := st.Load(t.Context(), "erp")
		if err != nil {
			t.Error(err)
		}
		if err := st.Save(t.Context(), "erp", rec, rec.Revision); err != nil {
			t.Error(err)
		}
		select {
		case stop <- st.Watch("crm", func() {}):
		default:
		}
		b.ring()
	})()
	mustSave(t, NewFile(st.dir), &record.Record{}, 0)
	b.wait(t)
	(<-stop)()
}

func TestWatchesComeAndGoWhileRecordsChange(t *testing.T) {
	st, writer := tempStore(t), (*File)(nil)
	mustOpen(t, st)
	writer = NewFile(st.dir)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					ended := false
					var mu sync.Mutex
					stop := st.Watch("erp", func() {
						mu.Lock()
						defer mu.Unlock()
						if ended {
							t.Error("called after stop")
						}
					})
					stop()
					mu.Lock()
					ended = true
					mu.Unlock()
				}
			}
		})
	}
	for rev := range uint64(20) {
		mustSave(t, writer, &record.Record{}, rev)
	}
	close(done)
	wg.Wait()
}

func TestNobodyIsCalledAfterStopEvenIfTheCallWasDue(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	b := newBell()
	var stopSecond func()
	ready := make(chan struct{})
	defer st.Watch("erp", func() {
		<-ready
		stopSecond() // whose turn would be next
		b.ring()
	})()
	stopSecond = st.Watch("erp", func() { t.Error("called after stop") })
	close(ready)
	mustSave(t, NewFile(st.dir), &record.Record{}, 0)
	b.wait(t)
}
