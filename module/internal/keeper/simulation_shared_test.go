package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/sharedstore"
	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

// sharedSeeds is how many lives there are with a store that replicas share.
const sharedSeeds = 24

// The same life as that of a disk, with the real store of replicas over an engine whose
// answers are lost, whose writes land late, and which single replicas cannot reach.
func TestNoHistoryOfASharedStoreLosesTheGrant(t *testing.T) {
	if only, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64); err == nil {
		simulateShared(t, only)
		return
	}
	count, err := strconv.ParseUint(os.Getenv(seedsVariable), 10, 64)
	if err != nil {
		count = sharedSeeds
	}
	for number := range count {
		t.Run(strconv.FormatUint(number, 10), func(t *testing.T) {
			t.Parallel()
			simulateShared(t, number)
		})
	}
}

func simulateShared(t *testing.T, number uint64) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, number)
		share(s)
		s.lasts = 4 * 24 * time.Hour
		defer func() {
			if t.Failed() {
				t.Logf("the end of the history of seed %d (%s=%d replays it):\n%s", number, seedVariable, number,
					strings.Join(s.history[max(0, len(s.history)-80):], "\n"))
			}
		}()
		defer s.end()
		s.live()
		s.loose.Wait()
	})
}

// replicated is a simulation whose processes share a store.
type replicated struct {
	*simulation
	place *storetest.Place

	mu      sync.Mutex
	stores  []*sharedStore
	lossy   float64 // how many answers of writes are lost
	late    float64 // … and how many writes land late
	calmAt  time.Time
	chances uint64
}

// share gives the processes of a simulation a store that they share.
func share(s *simulation) {
	r := &replicated{simulation: s, place: storetest.NewPlace()}
	r.place.Clock(func() time.Time { // which goes on while the machine of the processes is suspended
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		return s.server.now()
	})
	r.place.OnPut(func(name string, data []byte) {
		rec, _, err := recordstore.Decode("erp", data)
		if name == "erp" && err == nil {
			s.disk.wrote(rec)
		}
	})
	s.equip = func(p *machine) {
		st := &sharedStore{Store: sharedstore.New("memory"), r: r, proc: p, engine: r.place.Engine()}
		st.engine.Faults(st.fault)
		done, err := st.Use("", func() (store.Engine, error) { return st.engine, nil }, sharedstore.Options{
			Lease: 15 * time.Second, OpTimeout: 2 * time.Second, Poll: 30 * time.Second, Holder: p.name(), Wall: s.wall,
		})
		if err != nil {
			s.Error(err)
			return
		}
		s.Cleanup(func() {
			done()
			_ = st.Close()
		})
		r.mu.Lock()
		r.stores = append(r.stores, st)
		r.mu.Unlock()
		p.keepAt(st)
	}
	s.heal = r.calmDown
	s.more = []incident{
		{"answers of writes are lost", 8, func(*simulation) string { return r.unsure(&r.lossy) }},
		{"writes land late", 8, func(*simulation) string { return r.unsure(&r.late) }},
		{"watches break", 3, func(*simulation) string { r.place.Cut(); return "" }},
		{"a process is cut off from the store", 8, func(*simulation) string { return r.cutOff() }},
	}
}

// cutOff takes the store away from one process, for as long as it may be without losing
// what it alone has.
func (r *replicated) cutOff() string {
	p, d := pick(r.chance, r.alive()...), r.upTo(10*time.Minute)
	r.mu.Lock()
	st := r.stores[p.number]
	r.mu.Unlock()
	st.engine.Partition(true)
	r.unhealthyUntil(d)
	r.loose.Go(func() {
		time.Sleep(d)
		st.engine.Partition(false)
	})
	return fmt.Sprintf(": %s for %v", p.name(), d)
}

// unsure makes writes unsure for a while.
func (r *replicated) unsure(share *float64) string {
	d := r.upTo(time.Hour)
	r.mu.Lock()
	*share = pick(r.chance, 0.2, 0.5, 1)
	r.calmAt = time.Now().Add(d)
	text := fmt.Sprintf(" for %v: %v", d, *share)
	r.mu.Unlock()
	r.unhealthyUntil(d)
	return text
}

// calmDown ends what is wrong with the store.
func (r *replicated) calmDown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calmAt = time.Now()
	for _, st := range r.stores {
		st.engine.Partition(false)
	}
}

// drawn is a number that says which fault a call meets.
func (r *replicated) drawn() float64 {
	r.chances = r.chances*6364136223846793005 + 1442695040888963407 + r.number
	return float64(r.chances>>11) / (1 << 53)
}

// sharedStore is the store that a process shares, until it is killed.
type sharedStore struct {
	*sharedstore.Store
	r      *replicated
	proc   *machine
	engine *storetest.Memory
}

// fault is what becomes of a call of a process.
func (st *sharedStore) fault(c storetest.Call) storetest.Fault {
	if st.proc.dead.Load() {
		return storetest.Fault{Err: errDead}
	}
	if fault := st.weather(c); fault != (storetest.Fault{}) {
		return fault
	}
	r := st.r
	r.mu.Lock()
	defer r.mu.Unlock()
	write := c.Op == "put" || c.Op == "acquire" || c.Op == "renew" || c.Op == "release"
	if !write || time.Now().After(r.calmAt) {
		return storetest.Fault{}
	}
	switch n := r.drawn(); {
	case n < r.lossy:
		return storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Done}
	case n < r.lossy+r.late:
		return storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Later, Late: time.Duration(r.drawn() * float64(time.Minute))}
	}
	return storetest.Fault{}
}

// weather is what becomes of it as of a disk.
func (st *sharedStore) weather(c storetest.Call) storetest.Fault {
	d := st.proc.rig.disk
	switch {
	case c.Op == "put" && c.Name == "erp":
		rec, _, err := recordstore.Decode("erp", c.Data)
		if err != nil {
			return storetest.Fault{Err: err}
		}
		d.mu.Lock()
		onSave := d.onSave
		d.mu.Unlock()
		if onSave != nil {
			err = onSave(rec)
		}
		switch {
		case errors.Is(err, errInDoubt):
			return storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Done}
		case errors.Is(err, errFull):
			return storetest.Fault{Err: store.ErrFull}
		case err != nil:
			return storetest.Fault{Err: store.ErrUnavailable}
		}
		return storetest.Fault{Delay: min(d.slowness(), 1500*time.Millisecond)} // else each write is in doubt
	case c.Op == "get" || c.Op == "list":
		d.mu.Lock()
		onLoad := d.onLoad
		d.mu.Unlock()
		if onLoad != nil && onLoad() != nil {
			return storetest.Fault{Err: store.ErrUnavailable}
		}
	}
	return storetest.Fault{}
}

func (st *sharedStore) Load(ctx context.Context, name string) (*record.Record, error) {
	if st.proc.dead.Load() {
		return nil, errDead
	}
	return st.Store.Load(ctx, name)
}

func (st *sharedStore) Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error {
	point := "save"
	if journals(rec) {
		point = "journal"
	}
	st.r.disk.at(st.proc, "before-"+point)
	if st.proc.dead.Load() {
		return errDead
	}
	if err := st.Store.Save(ctx, name, rec, ifRevision); err != nil {
		return err
	}
	st.r.disk.at(st.proc, "after-"+point)
	if st.proc.dead.Load() {
		return errDead
	}
	return nil
}

// wrote takes over what a shared store has now.
func (d *disk) wrote(rec *record.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record, d.exists = rec, true
	for _, l := range rec.Lineages {
		for _, t := range l.Tokens {
			d.saved[t.RefreshToken] = true
		}
	}
}
