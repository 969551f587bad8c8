package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchPoll is how often files are looked at where the system cannot tell.
const watchPoll = 500 * time.Millisecond

// stamp identifies one content of a file: every Save makes a new file.
type stamp struct{ fs.FileInfo }

func (s *stamp) same(other *stamp) bool {
	if s == nil || other == nil {
		return s == other
	}
	return os.SameFile(s.FileInfo, other.FileInfo) && s.ModTime().Equal(other.ModTime()) && s.Size() == other.Size()
}

// watcher tells when other holders write records. One goroutine serves all
// records, and only while somebody watches one. It follows the directory's
// events; where there are none, it polls.
type watcher struct {
	dir     string
	present func(name string) *stamp // what the record's file is now
	own     func(name string) *stamp // what this store made it last
	events  func(dir string) (*fsnotify.Watcher, error)
	poll    time.Duration

	mu      sync.Mutex
	records map[string]*watched
	session *session // nil while nobody watches
}

// watched is a record that somebody watches.
type watched struct {
	seen     *stamp
	watchers []*watch
}

// session is one run of the goroutine.
type session struct{ quit, done chan struct{} }

func newWatcher(dir string, present, own func(name string) *stamp) *watcher {
	return &watcher{
		dir: dir, present: present, own: own, events: dirEvents, poll: watchPoll,
		records: make(map[string]*watched),
	}
}

func (w *watcher) watch(name string, changed func()) (stop func()) {
	one := &watch{changed: changed}
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
		rec = &watched{seen: w.present(name)}
		w.records[name] = rec
	}
	rec.watchers = append(rec.watchers, one)
	return sync.OnceFunc(func() { w.stop(name, one) })
}

func (w *watcher) stop(name string, one *watch) {
	one.end()
	w.mu.Lock()
	rec := w.records[name]
	rec.watchers = slices.DeleteFunc(rec.watchers, func(other *watch) bool { return other == one })
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
	if !ok || now.same(rec.seen) {
		w.mu.Unlock()
		return
	}
	rec.seen = now
	watchers := slices.Clone(rec.watchers)
	w.mu.Unlock()
	if now != nil && now.same(w.own(name)) {
		return
	}
	for _, one := range watchers {
		one.call()
	}
}

// watch is one caller of Watch.
type watch struct {
	changed func()
	mu      sync.Mutex // held during a call, so that the end can wait for it
	ended   bool
}

func (w *watch) call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.changed()
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// recordOf returns whose record a path in the directory is. Temporary and lock
// files are nobody's.
func recordOf(path string) (name string, ok bool) {
	name, ok = strings.CutSuffix(filepath.Base(path), recordSuffix)
	return name, ok && checkName(name) == nil
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
