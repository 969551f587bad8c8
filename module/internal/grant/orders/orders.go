// Package orders answers which order of an operator comes next, and since when it waits.
//
// It knows orders and moments. It must not know grants, nor what becomes of an order.
package orders

import (
	"slices"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
)

// Order is what an operator asks for, and what is known of it so far.
type Order struct {
	step.Order

	Revive     bool   // the grant was lost when it was given, and is presented once more
	Generation uint64 // at the time: a later one is what a refresh was to bring
	Counted    bool   // Generation is set
	Told       bool   // it was taken up before, and had to go back
	Gone       bool   // nobody waits for it: it does not go back
}

// Kind is how it is told that the order was given.
func (o *Order) Kind() finding.Kind {
	switch {
	case o.Login:
		return finding.LoginOrdered
	case o.Import != "":
		return finding.ImportOrdered
	case o.Revoke:
		return finding.RevokeOrdered
	}
	return finding.RefreshOrdered
}

// Queue are the orders that wait, the oldest first. What copies of one share is never written
// to. The zero value is empty.
type Queue struct {
	Waiting   []Order
	NotBefore int64 // when they are taken up again; monotonic
}

// Add lets an order wait.
func (q *Queue) Add(o Order) { q.Waiting = append(slices.Clone(q.Waiting), o) }

// Forget takes an order out that nobody waits for.
func (q *Queue) Forget(id uint32) {
	q.Waiting = slices.DeleteFunc(slices.Clone(q.Waiting), func(o Order) bool { return o.ID == id })
}

// Due reports whether an order may be taken up at a monotonic moment.
func (q *Queue) Due(now int64) bool { return len(q.Waiting) > 0 && now >= q.NotBefore }

// Take takes the oldest order out. What is left does not refer to it, which may hold a refresh
// token.
func (q *Queue) Take() *Order {
	o := q.Waiting[0]
	q.Waiting = slices.Clone(q.Waiting[1:])
	return &o
}

// Back lets an order that was taken out wait for another attempt, before all others, from a
// moment on. One that nobody waits for is dropped.
func (q *Queue) Back(o Order, at int64) {
	o.Told = true
	if !o.Gone {
		q.Waiting = append([]Order{o}, q.Waiting...)
	}
	q.NotBefore = at
}
