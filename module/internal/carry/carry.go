// Package carry carries a client's grant from one record to another: to a new name,
// or to another store.
//
// It knows records and stores. It must not know Caddy, commands or who asks.
package carry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/redact"
)

// End is a record: that of a client in a store.
type End struct {
	Store  recordstore.Store
	Client string

	// Name is the store in the words of a command; of use if the other end is in
	// another one.
	Name string
}

func (e End) place() string { return e.Store.Describe(e.Client) }

// Over carries the grant over, under the leases of both records. What was there
// becomes a tombstone: at first one that still has everything, and when that is in
// the new record, without. An attempt that nobody answered goes along: with the lease
// free nobody makes it any more, and whoever has the grant repeats it. After a crash the same call goes on where it ended. An
// error says why nothing was changed, or what stands in the way of the rest.
func Over(ctx context.Context, from, to End) error {
	if _, err := from.load(ctx); err != nil {
		return err // and no lock is left behind
	}
	for _, e := range []End{from, to} {
		if err := e.Store.Open(ctx); err != nil {
			return fmt.Errorf("store of client %s: %w", e.Client, err)
		}
		lease, err := await(ctx, e)
		if err != nil {
			return err
		}
		defer lease.Release()
	}
	old, err := from.load(ctx)
	if err != nil {
		return err
	}
	own, err := to.Store.Load(ctx, to.Client)
	if errors.Is(err, recordstore.ErrNotFound) {
		own, err = &record.Record{Client: to.Client}, nil
	}
	if err != nil {
		return fmt.Errorf("the record of client %s: %w", to.Client, err)
	}
	goal := record.Moved{Client: to.Client, Place: to.place(), Store: to.Name, Offset: own.Number}
	if old.Moved != nil && old.Moved.Place == goal.Place && !old.Pending() {
		return nil // done before
	}
	if old.Moved != nil && old.Moved.Place != goal.Place {
		last := recordstore.Follow(ctx, from.Store, *old.Moved)
		if last.Place == goal.Place && !old.Pending() {
			return nil // done before, by way of other names
		}
		return from.elsewhere(to, last)
	}
	if err := permit(old, own, from, to); err != nil {
		return err
	}
	return carry(ctx, old, own, from, to, goal)
}

func (e End) load(ctx context.Context) (*record.Record, error) {
	rec, err := e.Store.Load(ctx, e.Client)
	if errors.Is(err, recordstore.ErrNotFound) {
		return nil, fmt.Errorf("there is no record of client %s at %s", e.Client, e.place())
	}
	if err != nil {
		return nil, fmt.Errorf("the record of client %s: %w", e.Client, err)
	}
	return rec, nil
}

// elsewhere says where the grant is, and how it is carried over from there.
func (e End) elsewhere(to End, last record.Moved) error {
	command := "rename " + last.Client + " " + to.Client
	if last.Client == to.Client {
		command = "move " + to.Client
	}
	dir := last.Store
	if dir == "" {
		dir = e.Name // "" if that is the store that it is to be in
	}
	if dir != "" && dir != to.Name {
		command += " --from " + redact.Quoted(dir)
	}
	return fmt.Errorf("the grant of client %s was carried over to client %s already, to %s: run 'lamplighter tokens %s'", e.Client, last.Client, last.Place, command)
}

// permit says why the grant must not be carried over.
func permit(old, own *record.Record, from, to End) error {
	switch {
	case own.Pending():
		return fmt.Errorf("the grant of client %s is on the way to %s: end that first", to.Client, own.Moved.Place)
	case old.Moved != nil && own.Carried(old) == own:
		return nil // it was interrupted, and has the grant
	case !old.Granted():
		return fmt.Errorf("the record of client %s at %s holds no grant", from.Client, from.place())
	case own.Holding(old) != nil:
		return fmt.Errorf("client %s has another grant, which lives: it would be lost", to.Client)
	case own.OpenBeside(old) != nil:
		return fmt.Errorf("nobody knows what became of the last token request of client %s: wait until it has an answer, and repeat the command", to.Client)
	}
	return nil
}

func carry(ctx context.Context, old, own *record.Record, from, to End, goal record.Moved) error {
	carried := own.Carried(old)
	if old.Moved == nil || carried != own && old.Moved.Offset != goal.Offset {
		grave := old.MoveTo(goal)
		if err := from.save(ctx, grave, old.Revision); err != nil {
			return err
		}
		grave.Revision = old.Revision + 1
		old = grave
	}
	failpoint.At("carry-begun")
	if carried != own {
		if err := to.save(ctx, carried, own.Revision); err != nil {
			return err
		}
	}
	failpoint.At("carry-written")
	for i := range old.Lineages {
		id := old.Lineages[i].ID
		if _, err := to.Store.Claim(ctx, to.Client, id, func(string) (bool, error) { return true, nil }); err != nil {
			return fmt.Errorf("claims of client %s: %w", to.Client, err)
		}
	}
	failpoint.At("carry-claimed")
	if err := from.save(ctx, old.Stripped(), old.Revision); err != nil {
		return err
	}
	failpoint.At("carry-ended")
	return nil
}

// Late writes what is owed to a record whose grant was carried over into the one that has it
// by now, which is in that store. What is there already stays; any error says that it is owed
// still.
func Late(ctx context.Context, in recordstore.Store, owed *record.Record, to record.Moved) error {
	to.Store = ""
	if to = recordstore.Follow(ctx, in, to); to.Store != "" {
		return fmt.Errorf("the grant was carried on to %s", to.Place)
	}
	end := End{Store: in, Client: to.Client}
	own, err := in.Load(ctx, to.Client)
	if errors.Is(err, recordstore.ErrNotFound) { // whoever carries it over was interrupted
		own, err = &record.Record{Client: to.Client}, nil
	}
	if err != nil {
		return fmt.Errorf("the record of client %s: %w", to.Client, err)
	}
	for i := range owed.Lineages {
		if record.Foreign(owed, own, owed.Lineages[i].Binding) {
			return fmt.Errorf("client %s has another grant than was carried over", to.Client)
		}
	}
	joined := own.Late(owed, to.Offset)
	if record.Equal(joined, own) {
		return nil // it was written, although nobody said so
	}
	return end.save(ctx, joined, own.Revision)
}

func (e End) save(ctx context.Context, rec *record.Record, ifRevision uint64) error {
	own := *rec
	own.Client, own.WriteID = e.Client, "carry-"+rand.Text()
	if err := e.Store.Save(ctx, e.Client, &own, ifRevision); err != nil {
		return fmt.Errorf("the record of client %s: %w", e.Client, err)
	}
	return nil
}

// leasePoll is how often a lease that another holder has is tried again.
const leasePoll = 100 * time.Millisecond

// await waits for the lease of a record, until ctx ends.
func await(ctx context.Context, e End) (recordstore.Lease, error) {
	busy := false
	for {
		lease, err := e.Store.Lease(ctx, e.Client)
		if err == nil {
			return lease, nil
		}
		busy = errors.Is(err, recordstore.ErrBusy) || busy && ctx.Err() != nil // the time was up while it was tried
		if !busy {
			return nil, fmt.Errorf("the record of client %s: %w", e.Client, err)
		}
		timer := time.NewTimer(leasePoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("the record of client %s is in use at %s: %w", e.Client, e.place(), recordstore.ErrBusy)
		}
	}
}
