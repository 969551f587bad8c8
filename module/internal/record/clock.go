package record

import "time"

// clocksDiffer is the least difference between two clocks that counts. What is smaller
// may be the way that an answer took.
const clocksDiffer = 2 * time.Second

// Received returns a record as the clock of this machine has it: its times, which are
// those of its writer's clock, are moved by what that differs. It was written age ago,
// by the clock of the store; now is the time here, of before it was read, so that
// nothing lasts longer for the reader than for the writer. With a negative age, which
// nobody knows, and a Written that is not set, it is the same record.
func (r *Record) Received(age time.Duration, now time.Time) *Record {
	if age < 0 || r.Written.IsZero() {
		return r
	}
	written := now.Add(-age)
	ahead := written.Sub(r.Written)
	if ahead.Abs() < clocksDiffer {
		return r
	}
	c := r.deep()
	c.each(func(*string) {}, func(t *time.Time) {
		if !t.IsZero() {
			*t = rounded(t.Add(ahead))
		}
	})
	c.Written = rounded(written)
	return c
}
