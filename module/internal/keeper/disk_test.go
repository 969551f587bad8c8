package keeper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// Errors of the disk.
var (
	errFull     = errors.New("no space left on device")
	errReadOnly = errors.New("read-only file system")
	errBroken   = errors.New("input/output error")
	errInDoubt  = errors.New("written, but not synced") // the record is there all the same
	errDead     = errors.New("this process was killed")
)

// noticeDelay is how long a change takes to reach those who watch.
const noticeDelay = 100 * time.Millisecond

// disk keeps the record of one client in memory, as processes that share a
// directory see it.
type disk struct {
	mu      sync.Mutex
	record  *record.Record
	binding record.Binding // of the client that looks at it
	exists  bool
	aside   []*record.Record // set aside
	claims  map[record.Fingerprint]string
	holder  *memoryLease
	freed   chan struct{}
	watch   map[*memoryStore]func()
	written time.Time     // when the record was, if replicas share it
	notice  time.Duration // how long a change takes to reach those who watch
	lease   time.Duration // how long one outlives its holder
	log     []string      // what was written, in order, with the server's requests

	// Faults. onSave sees what is about to be written; its error refuses it,
	// unless that is errInDoubt.
	onSave   func(rec *record.Record) error
	onLoad   func() error
	leaseErr error
	inDoubt  bool
	slow     time.Duration // what a write takes
	unlogged bool
	saved    map[string]bool // the refresh tokens that were durable at any time

	// hook is called where a process may be killed.
	hook func(p *machine, point string)
}

func newDisk() *disk {
	return &disk{notice: noticeDelay, freed: make(chan struct{}), watch: make(map[*memoryStore]func()), record: new(record.Record), saved: make(map[string]bool), claims: make(map[record.Fingerprint]string)}
}

// waitForOthers waits while another process holds the lease.
func (d *disk) waitForOthers(ctx context.Context, s *memoryStore) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.mu.Lock()
		holder, freed := d.holder, d.freed
		d.mu.Unlock()
		if holder == nil || holder.store.proc == s.proc || s.LeaseLength() > 0 {
			return nil
		}
		select {
		case <-freed:
			pass(ctx, s.proc.turn())
		case <-ctx.Done():
		}
	}
}

func (d *disk) save(s *memoryStore, given *record.Record, ifRevision uint64) error {
	rec := *given
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.unreadable(); errors.Is(err, recordstore.ErrUnreadable) {
		return err
	}
	var refusal error
	if d.onSave != nil {
		refusal = d.onSave(given)
	}
	inDoubt := errors.Is(refusal, errInDoubt)
	if refusal != nil && !inDoubt {
		return refusal
	}
	var stored uint64
	if d.exists {
		stored = d.record.Revision
	}
	rec.Client, rec.Revision = "erp", ifRevision+1
	d.written = time.Now()
	if d.lease > 0 {
		rec.Written = s.proc.wall()
	}
	// A record that is there already, and only its durability is in doubt, is
	// written once more.
	if stored != ifRevision && (!d.inDoubt || d.record.WriteID != rec.WriteID) {
		return recordstore.ErrConflict
	}
	d.inDoubt = inDoubt
	d.record, d.exists = &rec, true
	for _, l := range rec.Lineages {
		for _, t := range l.Tokens {
			d.saved[t.RefreshToken] = true
		}
	}
	if journals(given) {
		d.note("journal")
	} else {
		d.note("save")
	}
	for other, changed := range d.watch {
		if other != s && !other.cut.Load() {
			time.AfterFunc(d.notice+other.proc.turn(), func() { d.call(other, changed) })
		}
	}
	return refusal
}

// unreadable is why the record cannot be read. Called with d.mu held.
func (d *disk) unreadable() error {
	if d.onLoad == nil {
		return nil
	}
	return d.onLoad()
}

// refuseLoads lets reads fail; nil ends that.
func (d *disk) refuseLoads(err error) {
	d.faults(func() { d.onLoad = func() error { return err } })
}

// replace puts a record there by hand.
func (d *disk) replace(edit func(rec *stored)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := viewOf(d.record, d.binding)
	after := before
	edit(&after)
	rec := *after.become(before, d.binding)
	rec.Revision, rec.WriteID = before.Revision+1, "by hand"
	d.record, d.exists = &rec, true
	for one, changed := range d.watch {
		time.AfterFunc(noticeDelay, func() { d.call(one, changed) })
	}
}

func (d *disk) remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record, d.exists = new(record.Record), false
}

func (d *disk) call(one *memoryStore, changed func()) {
	d.mu.Lock()
	_, watching := d.watch[one]
	d.mu.Unlock()
	if watching {
		changed()
	}
}

func (d *disk) at(p *machine, point string) {
	d.mu.Lock()
	hook := d.hook
	d.mu.Unlock()
	if hook != nil && !p.dead.Load() {
		hook(p, point)
	}
}

// note adds to the log. Called with d.mu held.
func (d *disk) note(what string) {
	if !d.unlogged {
		d.log = append(d.log, what)
	}
}

func (d *disk) noted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

func (d *disk) slowness() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slow
}

func (d *disk) stored() stored {
	d.mu.Lock()
	defer d.mu.Unlock()
	return viewOf(d.record, d.binding)
}

// everSaved reports whether a refresh token was durable at any time.
func (d *disk) everSaved(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.saved[token]
}

// faults changes what goes wrong.
func (d *disk) faults(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// refuseSaves lets writes fail, those that which accepts.
func (d *disk) refuseSaves(err error, which func(rec *record.Record) bool) {
	d.faults(func() {
		d.onSave = func(rec *record.Record) error {
			if which(rec) {
				return err
			}
			return nil
		}
	})
}

func (d *disk) acceptSaves() { d.faults(func() { d.onSave = nil }) }

func journals(rec *record.Record) bool { return rec.Journals() }
func answers(rec *record.Record) bool  { return !journals(rec) }
func anything(*record.Record) bool     { return true }

// free lets the next one have the lease. Called with d.mu held.
func (d *disk) free(l *memoryLease) {
	if l == nil || d.holder != l {
		return
	}
	d.holder = nil
	close(d.freed)
	d.freed = make(chan struct{})
}

// overdue ends a lease whose holder was not heard of for its length.
func (d *disk) overdue(l *memoryLease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder == l && (l.store.cut.Load() || l.store.proc.dead.Load()) {
		l.lost = errors.New("the lease is over")
		d.free(l)
	}
}

// stealLease is what deleting the lock file does.
func (d *disk) stealLease() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder != nil {
		d.holder.lost = errors.New("lock file was deleted")
		d.free(d.holder)
	}
}

func (d *disk) leased() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holder != nil
}
