package filestore

import (
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// watchPoll is how often files are looked at where the system cannot tell.
const watchPoll = 500 * time.Millisecond

// stamp identifies one content of a file, for as long as the process lives: every Save
// makes a new file. 0 is that of a file that is not there.
type stamp uint64

func stampOf(info fs.FileInfo) stamp {
	device, inode := identity(info)
	return max(1, stamp(maphash.Comparable(sumSeed, [...]uint64{device, inode, uint64(info.Size()), uint64(info.ModTime().UnixNano())}))) //nolint:gosec // any number tells it from others
}

// watcher tells when other holders write records. One goroutine serves all
// records, and only while somebody watches one. It follows the directory's
// events; where there are none, it polls.
type watcher struct {
	dir     string
	present func(name string) stamp // what the record's file is now
	events  func(dir string) (*fsnotify.Watcher, error)
	poll    time.Duration

	mu      sync.Mutex
	records map[string]*watched
	session *session // nil while nobody watches
}

// watched is a record that somebody watches.
type watched struct {
	// seen starts as that of no file, and is not asked for: there may be very many
	// records. At worst the first look finds news that is none.
	seen     stamp
	own      stamp // what this store made it last, or is about to
	watchers []*recordstore.Watching
	last     last
}

// last is what this store read or wrote of a record last. A refresh reads it three
// times; while its bytes are the same, they need not be understood anew.
type last struct {
	sum      uint64 // of the bytes
	record   *record.Record
	revision uint64 // with which it was written
	own      bool   // this store wrote it
}

var sumSeed = maphash.MakeSeed()

// session is one run of the goroutine.
type session struct{ quit, done chan struct{} }

func newWatcher(dir string, present func(name string) stamp) *watcher {
	return &watcher{dir: dir, present: present, events: dirEvents, poll: watchPoll, records: make(map[string]*watched)}
}

func (w *watcher) watch(name string, changed func()) (stop func()) {
	one := recordstore.NewWatching(changed)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session == nil {
		w.session = &session{quit: make(chan struct{}), done: make(chan struct{})}
		// Now and not in the goroutine: no change after this call is missed.
		events, _ := w.events(w.dir)
		go w.run(w.session, events)
	}
	rec, ok := w.records[name]
	if !ok {
		rec = new(watched)
		w.records[name] = rec
	}
	rec.watchers = append(rec.watchers, one)
	return func() { w.stop(name, one) }
}

// expect says what this store is about to make of a record: that is no news.
func (w *watcher) expect(name string, own stamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if rec, ok := w.records[name]; ok {
		rec.own = own
	}
}

// remember keeps what the bytes of a record say, as long as somebody watches it.
func (w *watcher) remember(name string, data []byte, l last) {
	l.sum = maphash.Bytes(sumSeed, data)
	w.mu.Lock()
	defer w.mu.Unlock()
	if rec, ok := w.records[name]; ok {
		rec.last = l
	}
}

// recall returns what the bytes of a record say, nil if they are not those that were
// read or written last, and whether this store wrote them.
func (w *watcher) recall(name string, data []byte) (rec *record.Record, own bool) {
	sum := maphash.Bytes(sumSeed, data)
	w.mu.Lock()
	defer w.mu.Unlock()
	known, ok := w.records[name]
	if !ok || known.last.record == nil || known.last.sum != sum {
		return nil, false
	}
	c := *known.last.record
	c.Client, c.Revision = name, known.last.revision
	return &c, known.last.own
}

func (w *watcher) stop(name string, one *recordstore.Watching) {
	if !one.End() {
		return
	}
	w.mu.Lock()
	rec := w.records[name]
	rec.watchers = slices.DeleteFunc(rec.watchers, func(other *recordstore.Watching) bool { return other == one })
	if len(rec.watchers) == 0 {
		delete(w.records, name)
	}
	var last *session
	if len(w.records) == 0 {
		last, w.session = w.session, nil
	}
	w.mu.Unlock()
	if last != nil {
		close(last.quit)
		<-last.done
	}
}

// run follows or polls until the session ends. events may be nil.
func (w *watcher) run(s *session, events *fsnotify.Watcher) {
	defer close(s.done)
	for {
		if events == nil {
			events = w.pollUntilEvents(s)
		}
		if events == nil {
			return
		}
		again := w.follow(s, events)
		_ = events.Close() // nothing that could fail is left to lose
		if !again {
			return
		}
		events = nil
	}
}

// follow reports what the directory's events tell. It returns true when there
// are no more of them, and false when the session ends.
func (w *watcher) follow(s *session, events *fsnotify.Watcher) bool {
	for {
		select {
		case <-s.quit:
			return false
		case ev, ok := <-events.Events:
			if !ok || w.gone(ev) {
				return true
			}
			if name, ok := recordOf(ev.Name); ok {
				w.check(name)
			}
		case _, ok := <-events.Errors:
			if !ok {
				return true
			}
			w.checkAll() // more happened than the system could tell
		}
	}
}

// gone reports whether an event says that the directory is not there any more.
func (w *watcher) gone(ev fsnotify.Event) bool {
	return filepath.Clean(ev.Name) == w.dir && (ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename))
}

// pollUntilEvents looks at all watched files now and then, until the system can
// tell, or nil when the session ends.
func (w *watcher) pollUntilEvents(s *session) *fsnotify.Watcher {
	tick := time.NewTicker(w.poll)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return nil
		case <-tick.C:
		}
		events, err := w.events(w.dir)
		w.checkAll() // after the events began, so that none falls in between
		if err == nil {
			return events
		}
	}
}

func (w *watcher) checkAll() {
	w.mu.Lock()
	names := make([]string, 0, len(w.records))
	for name := range w.records {
		names = append(names, name)
	}
	w.mu.Unlock()
	for _, name := range names {
		w.check(name)
	}
}

// check calls those who watch a record if its file is another one than before,
// and not this store's own.
func (w *watcher) check(name string) {
	w.mu.Lock()
	_, ok := w.records[name]
	w.mu.Unlock()
	if !ok {
		return
	}
	now := w.present(name)
	w.mu.Lock()
	rec, ok := w.records[name]
	if !ok || now == rec.seen {
		w.mu.Unlock()
		return
	}
	rec.seen = now
	var watchers []*recordstore.Watching
	if now == 0 || now != rec.own {
		watchers = slices.Clone(rec.watchers)
	}
	w.mu.Unlock()
	for _, one := range watchers {
		one.Call()
	}
}

// recordOf returns whose record a path in the directory is. Temporary and lock
// files are nobody's.
func recordOf(path string) (name string, ok bool) {
	name, ok = strings.CutSuffix(filepath.Base(path), recordSuffix)
	return name, ok && recordstore.CheckName(name) == nil
}

// dirEvents follows a directory that exists.
func dirEvents(dir string) (*fsnotify.Watcher, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if err := events.Add(dir); err != nil {
		_ = events.Close()
		return nil, err
	}
	return events, nil
}
