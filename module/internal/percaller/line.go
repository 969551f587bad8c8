package percaller

import (
	"container/list"
	"sync"
)

// Bounds of a client's exchanges, whatever its callers do.
const (
	maxUnderWay = 64
	maxWaiting  = 1024
)

// line is where exchanges wait for their turn, first come first served. Those of
// callers who have a token already go before those of callers that nobody knows,
// so that a flood of the latter does not cost the former theirs: there are no more
// of them than tokens are kept.
//
// An exchange that waits has no goroutine, and leaves the line with the last of
// its callers.
type line struct {
	mu       sync.Mutex
	flights  map[Key]*flight // under way, or waiting
	underWay int
	renewals list.List // of *flight
	firsts   list.List // of *flight
}

// admit gives an exchange a place. If there is none left, a renewal takes that of
// the last one who came for a first token; it is returned if so. Called with l.mu
// held.
func (l *line) admit(f *flight) (displaced *flight, ok bool) {
	queue := &l.firsts
	if f.renews() {
		queue = &l.renewals
	}
	if l.renewals.Len()+l.firsts.Len() >= maxWaiting {
		last := l.firsts.Back()
		if last == nil || !f.renews() {
			return nil, false
		}
		displaced = last.Value.(*flight)
		l.remove(displaced)
	}
	f.queue, f.place = queue, queue.PushBack(f)
	l.flights[f.x.Key] = f
	return displaced, true
}

// first returns whose turn it is, nil if nobody waits. Called with l.mu held.
func (l *line) first() *flight {
	for _, queue := range []*list.List{&l.renewals, &l.firsts} {
		if first := queue.Front(); first != nil {
			return first.Value.(*flight)
		}
	}
	return nil
}

// call takes an exchange out of those that wait. Called with l.mu held.
func (l *line) call(f *flight) {
	f.queue.Remove(f.place)
	f.queue, f.place = nil, nil
}

// remove forgets an exchange that waits. Called with l.mu held.
func (l *line) remove(f *flight) {
	l.call(f)
	delete(l.flights, f.x.Key)
}
