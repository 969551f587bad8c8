package stores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"lamplighter/module/store"
	"lamplighter/test/internal/rig"
)

// between is a proxy before a server, which fails as a network does.
type between struct{ *toxiproxy.Proxy }

func newBetween(t testing.TB, upstream string) between {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	b := between{toxiproxy.NewProxy(server, "store", rig.FreeAddress(t), upstream)}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// The faults, each of all connections in one direction: what is sent vanishes, or the
// connection is reset as soon as something is sent.
var faults = []string{
	`{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`,
	`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`,
	`{"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 0}}`,
	`{"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 0}}`,
	`{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 3}}`,
	afterPong,
}

// afterPong cuts the answer that follows +PONG, by which the engine of Redis sees
// that the connection lives.
const afterPong = `{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 9}}`

// fail begins a fault, and heals it with all connections that had it.
func (b between) fail(t testing.TB, fault string) (heal func()) {
	t.Helper()
	if _, err := b.Toxics.AddToxicJson(strings.NewReader(fault)); err != nil {
		t.Fatal(err)
	}
	return func() { b.Toxics.ResetToxics(context.Background()) }
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// opened returns an engine that was opened.
func opened(t testing.TB, e store.Engine) store.Engine {
	t.Helper()
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// now reads an object, as soon as it can be read.
func now(t testing.TB, e store.Engine, name string) (o store.Object) {
	t.Helper()
	rig.Eventually(t, "the store is read again", func() (ok bool) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var err error
		if o, err = e.Get(ctx, name); err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
	return o
}

// tellsTheTruth: whatever happens to the connection, an engine says of a write what is
// true, or that it does not know. A conflict that is none would have a holder believe that
// another one has spent its refresh token.
func tellsTheTruth(t *testing.T, address string, engine func(t testing.TB, address string) store.Engine) {
	b := newBetween(t, address)
	e, direct := opened(t, engine(t, b.Listen)), opened(t, engine(t, address))
	tag, err := e.Put(t.Context(), "erp", []byte("0"), "")
	if err != nil {
		t.Fatal(err)
	}
	doubts := 0
	for i := range 3 * len(faults) {
		if o := now(t, e, "erp"); o.Tag != tag { // the connection is there, and warm
			t.Fatalf("%d: it is of another version", i)
		}
		data := fmt.Sprint(i + 1)
		heal := b.fail(t, faults[i%len(faults)])
		_, err := e.Put(soon(t), "erp", []byte(data), tag)
		heal()
		time.Sleep(50 * time.Millisecond) // a write that is late arrives
		o := now(t, direct, "erp")
		written := string(o.Data) == data
		switch {
		case errors.Is(err, store.ErrUnknown):
			doubts++
		case err == nil && written, errors.Is(err, store.ErrUnavailable) && !written:
		default:
			t.Errorf("%s: it was written: %v, and said was: %v", faults[i%len(faults)], written, err)
		}
		tag = o.Tag
	}
	if doubts == 0 {
		t.Error("no answer was ever lost")
	}
}

// take takes a lease, as soon as the store can be asked for it.
func take(t testing.TB, e store.Engine, name, holder string) (lease store.Lease) {
	t.Helper()
	rig.Eventually(t, "the lease is taken", func() bool {
		var err error
		lease, _, err = e.Acquire(t.Context(), name, holder, "")
		if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknown) {
			t.Fatal(err)
		}
		return lease != nil
	})
	return lease
}

// keepsItsLease: who asked for a lease, and lost the answer, has it when it asks again.
func keepsItsLease(t *testing.T, address string, engine func(t testing.TB, address string) store.Engine) {
	for name, lost := range map[string]string{"silence": faults[0], "cut": afterPong} {
		t.Run(name, func(t *testing.T) { keepsItsLeaseAfter(t, lost, address, engine) })
	}
}

func keepsItsLeaseAfter(t *testing.T, lost, address string, engine func(t testing.TB, address string) store.Engine) {
	b := newBetween(t, address)
	e, direct := opened(t, engine(t, b.Listen)), opened(t, engine(t, address))
	if _, _, err := e.Acquire(t.Context(), "erp", "warm", ""); err != nil { // the connection is warm
		t.Fatal(err)
	}
	heal := b.fail(t, lost)
	lease, _, err := e.Acquire(soon(t), "crm", "one", "")
	heal()
	if errors.Is(err, store.ErrUnavailable) { // nothing was sent
		take(t, e, "crm", "one")
	} else if !errors.Is(err, store.ErrUnknown) || lease != nil {
		t.Fatalf("an answer was lost: %v, %v", lease, err)
	}
	other, held, err := direct.Acquire(t.Context(), "crm", "two", "")
	if err != nil || other != nil || held.Holder != "one" {
		t.Fatalf("the lease is not held by who lost the answer: %v, %v", held, err)
	}
	lease = take(t, e, "crm", "one")
	heal = b.fail(t, lost)
	if err := lease.Renew(soon(t)); !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("an answer was lost: %v", err)
	}
	heal()
	rig.Eventually(t, "it is renewed", func() bool { return lease.Renew(t.Context()) == nil })
	if err := lease.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// noticesSilence: a peer that is gone without a word is found within 15 seconds, and a call
// is over when its time is.
func noticesSilence(t *testing.T, address string, engine func(t testing.TB, address string) store.Engine) {
	b := newBetween(t, address)
	e := opened(t, engine(t, b.Listen))
	ready, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() {
		ended <- e.Watch(t.Context(), []string{"erp"}, func() { ready <- struct{}{} }, func(string) {})
	}()
	<-ready
	defer b.fail(t, faults[0])()
	b.fail(t, faults[1])
	for range 3 {
		began := time.Now()
		if _, err := e.Get(soon(t), "erp"); !errors.Is(err, store.ErrUnavailable) || time.Since(began) > 2*time.Second {
			t.Errorf("a call that nobody answers ends after %s: %v", time.Since(began), err)
		}
	}
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the watch ended: %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Error("nobody noticed")
	}
}

func TestPostgresFaults(t *testing.T) {
	p := rig.StartPostgres(t)
	engine := func(t testing.TB, address string) store.Engine {
		_, port, _ := strings.Cut(address, ":")
		_, own, _ := strings.Cut(p.Address, ":")
		return postgresEngine(t, strings.Replace(dsn(p), "port="+own, "port="+port, 1))
	}
	for name, test := range map[string]func(*testing.T, string, func(testing.TB, string) store.Engine){
		"TellsTheTruth": tellsTheTruth, "KeepsItsLease": keepsItsLease, "NoticesSilence": noticesSilence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p.Address, engine)
		})
	}
}

// TestPostgresRestartsAndFailsOver: a restart is no loss, and is not told as one; a standby
// that takes the place of the primary is.
func TestPostgresRestartsAndFailsOver(t *testing.T) {
	primary := rig.StartPostgres(t)
	sql(t, dsn(primary), "ALTER SYSTEM SET synchronous_commit = off") // the engine demands more
	standby := primary.Standby(t, "hot_standby=on")
	_, first, _ := strings.Cut(primary.Address, ":")
	_, second, _ := strings.Cut(standby.Address, ":")
	both := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=postgres dbname=postgres password='%s'", first, second, rig.PostgresPassword)
	e := opened(t, postgresEngine(t, both, "durability local"))
	epoch := e.Epoch()
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil || epoch == "" {
		t.Fatalf("%q, %v", epoch, err)
	}
	primary.Stop(os.Interrupt)
	primary.Start()
	primary.Await()
	if o := now(t, e, "erp"); o.Tag != tag || e.Epoch() != epoch {
		t.Errorf("after a restart it is of version %s, in the epoch %s", o.Tag, e.Epoch())
	}
	rig.Eventually(t, "the standby has what was written", func() bool {
		o, err := readOnly(t, dsn(standby), nameSpace(t))
		return err == nil && o == string(tag)
	})
	primary.Stop(os.Kill)
	sql(t, dsn(standby), "SELECT pg_promote()")
	o := now(t, e, "erp")
	if o.Tag != tag || string(o.Data) != "one" || e.Epoch() == epoch {
		t.Errorf("after a failover it is %s of version %s, in the epoch %s (before: %s)", o.Data, o.Tag, e.Epoch(), epoch)
	}
	if _, err := e.Put(t.Context(), "erp", []byte("two"), tag); err != nil {
		t.Error(err)
	}
}

// TestAnOldPrimaryIsNoStore: the replaced primary comes back, is there, takes writes, and
// knows nothing of the one that took its place.
func TestAnOldPrimaryIsNoStore(t *testing.T) {
	old := rig.StartPostgres(t)
	standby := old.Standby(t, "hot_standby=on")
	e := opened(t, postgresEngine(t, dsn(old), "durability local"))
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "the standby has what was written", func() bool {
		o, err := readOnly(t, dsn(standby), nameSpace(t))
		return err == nil && o == string(tag)
	})
	sql(t, dsn(standby), "SELECT pg_promote()") // the old one runs on
	after := opened(t, postgresEngine(t, dsn(standby), "durability local"))
	two, err := after.Put(t.Context(), "erp", []byte("two"), tag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Put(t.Context(), "erp", []byte("stale"), tag); !errors.Is(err, store.ErrUnsafe) {
		t.Errorf("a connection from before writes to the old primary: %v", err)
	}
	if _, _, err := e.Acquire(t.Context(), "erp", "somebody", ""); !errors.Is(err, store.ErrUnsafe) {
		t.Errorf("the old primary gives a lease: %v", err)
	}
	refuses(t, postgresEngine(t, dsn(old), "durability local"), store.ErrUnsafe, "timeline 1", "timeline 2", "stop it")
	_, first, _ := strings.Cut(old.Address, ":")
	_, second, _ := strings.Cut(standby.Address, ":")
	both := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=postgres dbname=postgres password='%s'", first, second, rig.PostgresPassword)
	if o := now(t, opened(t, postgresEngine(t, both, "durability local")), "erp"); o.Tag != two {
		t.Errorf("of both servers the old one was chosen, with version %s", o.Tag)
	}
}
