package keeper

import (
	"container/list"
	"sync"
)

// maxLooks is how many keepers that share a [Turns] look at their records at a
// time. Each blocks a thread while it reads.
const maxLooks = 16

// Turns lets a bounded number of keepers do something at a time. The others
// stand in line, which costs no goroutine: first those whose token somebody waits
// for. The zero value is ready; a nil one has no bound.
type Turns struct {
	mu     sync.Mutex
	taken  int
	paused int          // how many want only the hurried to be let on
	lines  [2]list.List // of *turn; the hurried ones stand in the first
}

// turn is taken, or a place in line until it is. All methods may be called on
// nil.
type turn struct {
	turns *Turns
	limit int
	begin func(*turn)

	line    *list.List // nil when it does not stand in line
	element *list.Element
	ended   bool
}

// take takes a turn if fewer than limit are taken, or else a place in line: then
// begin is called when the turn is taken, without any lock held.
func (t *Turns) take(limit int, hurried bool, begin func(*turn)) (own *turn, taken bool) {
	if t == nil {
		return nil, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	own = &turn{turns: t, limit: limit, begin: begin}
	if t.taken < limit && (hurried || t.paused == 0) {
		t.taken++
		return own, true
	}
	own.join(&t.lines[1])
	if hurried {
		own.move(&t.lines[0])
	}
	return own, false
}

func (own *turn) join(line *list.List) { own.line, own.element = line, line.PushBack(own) }

func (own *turn) move(line *list.List) {
	own.line.Remove(own.element)
	own.join(line)
}

// hurry moves it up to those that somebody waits for.
func (own *turn) hurry() {
	if own == nil {
		return
	}
	t := own.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	if hurried := &t.lines[0]; own.line != nil && own.line != hurried {
		own.move(hurried)
		if t.paused > 0 {
			for _, one := range t.call() {
				go one.begin(one) // whoever hurries has a lock
			}
		}
	}
}

// allow changes how many may take a turn at a time, for one that stands in line.
func (own *turn) allow(limit int) {
	if own == nil {
		return
	}
	t := own.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	own.limit = limit
	for _, one := range t.call() {
		go one.begin(one) // whoever allows it has a lock
	}
}

// Pause lets only those begin that somebody waits for, until resume is called: the
// others may be very many, and something else is more urgent.
func (t *Turns) Pause() (resume func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		t.paused--
		next := t.call()
		t.mu.Unlock()
		for _, one := range next {
			one.begin(one)
		}
	})
}

// leave gives the place in line up. It reports false if there is none: then the
// turn is taken, or has ended.
func (own *turn) leave() bool {
	if own == nil {
		return false
	}
	own.turns.mu.Lock()
	defer own.turns.mu.Unlock()
	if own.line == nil {
		return false
	}
	own.line.Remove(own.element)
	own.line, own.ended = nil, true
	return true
}

// end gives the turn, or the place in line, to the next. It may be called twice,
// and with no keeper's lock held.
func (own *turn) end() {
	if own == nil || own.leave() {
		return
	}
	t := own.turns
	t.mu.Lock()
	var next []*turn
	if !own.ended {
		own.ended = true
		t.taken--
		next = t.call()
	}
	t.mu.Unlock()
	for _, one := range next {
		one.begin(one)
	}
}

// call takes those out of the lines whose turn it is. Called with t.mu held.
func (t *Turns) call() (next []*turn) {
	for i := range t.lines {
		if i > 0 && t.paused > 0 {
			break
		}
		line := &t.lines[i]
		for front := line.Front(); front != nil && t.taken < front.Value.(*turn).limit; front = line.Front() {
			one := line.Remove(front).(*turn)
			one.line = nil
			t.taken++
			next = append(next, one)
		}
	}
	return next
}
