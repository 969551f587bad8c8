package tokenfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"sync"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/panics"
)

const (
	// lookInterval is how often a file is compared with what was written, and the token
	// with the clocks.
	lookInterval = 10 * time.Second

	// startGrace is how long a file that is there at the start may keep what is in it,
	// until it is known whether there is a token: a restart is no gap for who reads it.
	startGrace = 2 * time.Second

	// deadline is when a write that has not ended is told of as a failure.
	deadline = 2 * time.Second

	// retryMin and retryMax are the pauses after a failure, the next one always twice as
	// long.
	retryMin = time.Second
	retryMax = 10 * time.Second

	// tick is the least time between two looks.
	tick = 10 * time.Millisecond
)

// Source has the token that is written.
type Source interface {
	// Current is the valid token, nil if there is none.
	Current() *keeper.Token

	// Changed is closed when that may have changed. It is asked for first.
	Changed() <-chan struct{}

	// Looked says that it is known whether there is a token.
	Looked() bool
}

// State is how a file is.
type State struct {
	// Path and Format are as in its settings.
	Path, Format string

	// Generation is that of the token in it, 0 if it says that there is none, or was not
	// written yet.
	Generation uint64

	// WrittenAt is when it was written last, or found to hold that at the start.
	WrittenAt time.Time

	// Trouble is what is wrong, nil if all is well.
	Trouble *Trouble
}

// writer keeps one file.
type writer struct {
	*Compiled
	client string
	place  place
	source Source
	tell   func(s State, written bool)

	poke    chan struct{} // the file is ours again
	stopped chan struct{} // closed to end it
	ended   chan struct{} // closed when it has

	mu      sync.Mutex
	state   State
	told    Trouble // that was told last
	toldAt  time.Time
	written bool              // the file is known to hold this:
	held    *keeper.Token     // the token, nil for none,
	sum     [sha256.Size]byte // and the hash of its content
	waiting []chan struct{}   // closed at the end of the next attempt
	busy    bool              // an attempt has not ended
}

// run keeps the file until the writer is stopped.
func (w *writer) run() {
	defer close(w.ended)
	began, due, retry := time.Now(), time.Now(), retryMin
	var tried want
	for {
		changed, looked, now := w.source.Changed(), w.source.Looked(), time.Now()
		grace := startGrace - now.Sub(began)
		wanted := want{token: w.source.Current()} // after the look, which may have brought one
		wanted.mayStay = wanted.token == nil && grace > 0 && !looked
		if !wanted.equal(tried) || !now.Before(due) {
			tried, due = wanted, now.Add(lookInterval)
			switch {
			case !w.sync(wanted):
				due, retry = now.Add(retry), min(2*retry, retryMax)
			case wanted.mayStay:
				due = now.Add(min(lookInterval, grace))
			default:
				retry = retryMin
			}
		}
		pause := time.Until(due)
		if wanted.token != nil {
			pause = min(pause, time.Until(wanted.token.ExpiresAt))
		}
		timer := time.NewTimer(max(tick, pause))
		select {
		case <-changed:
		case <-timer.C:
		case <-w.poke:
			w.forget()
			due = now
		case <-w.stopped:
			timer.Stop()
			w.last()
			return
		}
		timer.Stop()
	}
}

// want is what the file is to hold.
type want struct {
	token   *keeper.Token // nil for none
	mayStay bool          // nobody knows yet whether there is one, so that what is there may stay
}

func (w want) equal(other want) bool {
	return w.mayStay == other.mayStay && sameToken(w.token, other.token)
}

// last writes a token that has come while the configuration was stopped. The file stays
// as it is otherwise.
func (w *writer) last() {
	if t := w.source.Current(); t != nil && !w.holds(t) {
		w.sync(want{token: t})
	}
}

// holds reports whether the file is known to hold a token.
func (w *writer) holds(t *keeper.Token) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written && sameToken(w.held, t)
}

// forget forgets what the file held when it was ours before.
func (w *writer) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = false
}

// sync sees to it that the file holds what is wanted. It reports whether all is well.
func (w *writer) sync(wanted want) bool {
	w.mu.Lock()
	if w.busy {
		w.mu.Unlock()
		return false
	}
	w.busy = true
	w.mu.Unlock()
	ended := make(chan bool, 1)
	go func() {
		ok := false
		if err := panics.Contain(func() { ok = w.attempt(wanted) }); err != nil {
			w.judge(troubleOf(w.Path, err), false)
		}
		w.mu.Lock()
		w.busy = false
		w.mu.Unlock()
		ended <- ok
	}()
	patience := time.NewTimer(deadline)
	defer patience.Stop()
	select {
	case ok := <-ended:
		return ok
	case <-patience.C:
		w.judge(slow(w.Path, deadline), false)
	}
	select {
	case ok := <-ended:
		return ok
	case <-w.stopped:
		return false
	}
}

// attempt compares, and writes if it is needed.
func (w *writer) attempt(wanted want) bool {
	defer owners.lock(w.Path)()
	if !owners.has(w) {
		return true // a newer configuration writes it
	}
	content, t, unfit, err := w.wantedContent(wanted.token)
	if err != nil {
		return w.judge(troubleOf(w.Path, err), false)
	}
	w.mu.Lock()
	written, same, sum := w.written, w.written && sameToken(w.held, t), w.sum
	w.mu.Unlock()
	if !written {
		w.place.tidy()
	}
	there, otherMode, err := w.place.read()
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return w.judge(troubleOf(w.Path, err), false)
	case err == nil && !otherMode && same && sha256.Sum256(there) == sum:
		return w.judge(unfit, false)
	case err == nil && !otherMode && bytes.Equal(there, content):
		w.hold(t, content) // another process has written the same, or this file before a restart
		return w.judge(unfit, false)
	case err == nil && wanted.mayStay && !written:
		return true
	}
	if err := w.place.write(content, func() bool { return owners.has(w) }); err != nil {
		return w.judge(troubleOf(w.Path, err), false)
	}
	w.hold(t, content)
	if same && unfit == nil {
		w.judge(changed(w.Path), true)
		return true
	}
	return w.judge(unfit, true)
}

// wantedContent is what the file is to hold, and the token that it shows, nil for none. Where
// the file's form cannot hold the token that there is, which is what unfit says, the file says
// that there is none: the one before may have ended.
func (w *writer) wantedContent(t *keeper.Token) (content []byte, shown *keeper.Token, unfit *Trouble, err error) {
	if t != nil {
		left := time.Until(t.ExpiresAt).Seconds()
		if content, err = w.render(w.client, t, int64(math.Floor(left))); err == nil {
			return content, t, nil, nil
		}
		unfit = troubleOf(w.Path, err)
	}
	content, err = w.render(w.client, nil, 0)
	return content, nil, unfit, err
}

func sameToken(one, other *keeper.Token) bool {
	if one == nil || other == nil {
		return one == other
	}
	return one.AccessToken == other.AccessToken && one.Generation == other.Generation && one.ExpiresAt.Equal(other.ExpiresAt)
}

// hold notes what is in the file.
func (w *writer) hold(t *keeper.Token, content []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written, w.held, w.sum = true, t, sha256.Sum256(content)
	w.state.Generation, w.state.WrittenAt = 0, time.Now()
	if t != nil {
		w.state.Generation = t.Generation
	}
}

// reminder is how often trouble that stays is told of again.
const reminder = time.Hour

// judge notes what is wrong after an attempt, nil for nothing, and tells of that and of a
// write, but not twice of the same. It reports whether all is well.
func (w *writer) judge(trouble *Trouble, written bool) bool {
	now := time.Now()
	w.mu.Lock()
	before := w.state.Trouble
	quiet := before == nil && !written
	if trouble != nil {
		if before != nil && before.Cause == trouble.Cause {
			trouble.Since = before.Since
		}
		if quiet = trouble.equal(&w.told) && now.Sub(w.toldAt) < reminder; !quiet {
			w.told, w.toldAt = *trouble, now
		}
	} else {
		w.told = Trouble{}
	}
	w.state.Trouble = trouble
	state, waiting := w.state, w.waiting
	w.waiting = nil
	w.mu.Unlock()
	for _, done := range waiting {
		close(done)
	}
	if !quiet {
		w.tell(state, written)
	}
	return trouble == nil
}

// awaits returns what is closed at the end of the next attempt; nil if the file holds the
// current token, or is not expected to.
func (w *writer) awaits() <-chan struct{} {
	if !owners.has(w) {
		return nil
	}
	t := w.source.Current()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.written && sameToken(w.held, t) || w.state.Trouble != nil && w.state.Trouble.Lasts() {
		return nil
	}
	done := make(chan struct{})
	w.waiting = append(w.waiting, done)
	return done
}
