package records

import (
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/redact"
)

// Elsewhere returns whose a refresh token is, or was, as far as the keepers of this
// process and the ledger of this machine know. What is in the record's own store is
// claimed there, so that the keepers of that count only if all do.
func (r *Record) Elsewhere(token, binding record.Fingerprint, all bool) *keeper.Owner {
	if name, u := keepers.holder(r.Key, all, token, binding); u != nil {
		return r.ownerIn(u.command, u.keyFile, name, u.store.Describe(name))
	}
	e, service, ok := spentHere(token)
	if !ok || e.Said == ledger.Refused && e.Binding != binding {
		return nil
	}
	if e.Client == r.Key.name && e.Place == r.Describe() {
		return &keeper.Owner{Client: r.Key.name, Place: redact.Visible(e.Place), Own: true}
	}
	o := r.ownerIn(e.Store, e.Key, e.Client, e.Place)
	o.Service = service && o.Store != ""
	return o
}

// ownerIn is a client with a record in some store, as commands call that: with the file of
// its key, if that is another one.
func (r *Record) ownerIn(command, key, name, place string) *keeper.Owner {
	o := &keeper.Owner{Client: name, Place: redact.Visible(place)}
	if command == r.Use.command {
		return o
	}
	if key != "" && key != r.Use.keyFile {
		command = Place{dir: command}.withKey(key)
	}
	o.Store = redact.Visible(command)
	return o
}

// Reach returns a store that a tombstone names, nil if no configuration of this process uses
// it: what a record says opens no store, for a secret would go there.
func (r *Record) Reach(named string) recordstore.Store { return keepers.named(named) }

// Spent notes what became of a refresh token of the client's.
func (r *Record) Spent(token, binding record.Fingerprint, said ledger.Said, old bool) {
	l := theLedger()
	l.Note(ledger.Entry{
		Token: token, Said: said, Binding: binding, Client: r.Key.name,
		Place: r.Describe(), Store: r.Use.command, Key: r.Use.keyFile,
	}, old)
	if err := l.Fault(); err != nil {
		l.warning.Do(func() {
			r.log.Warn("a change of a client's store will not be noticed, and may present a spent refresh token: the ledger of this machine cannot be written",
				zap.String("ledger", ledgerPath()), zap.Error(redact.Error(err)))
		})
	}
}

// spentHere is what the ledgers of this machine say of a refresh token, and whether it is that of
// a service.
func spentHere(token record.Fingerprint) (e ledger.Entry, service, ok bool) {
	e, ok = theLedger().Of(token)
	if beside := besides.Load(); !ok && beside != nil {
		e, ok = beside.Of(token)
		return e, true, ok
	}
	return e, false, ok
}

// besides is the ledger of a service that keeps its data elsewhere, nil if there is none.
var besides atomic.Pointer[ledger.Ledger]

// Beside has the ledger asked that is beside Caddy's data in another directory, that of a service
// of this machine: what the service has spent may be named by a configuration that is run here. It
// is only read, and says nothing where this process may not do so. "" has none asked.
func Beside(data string) {
	if data == "" {
		besides.Store(nil)
		return
	}
	besides.Store(ledger.New(ledgerBeside(data)))
}

// ledgers are those of this process by their paths: one, but in tests.
var ledgers sync.Map

// toldLedger is a ledger, of which is told once what is wrong with it.
type toldLedger struct {
	*ledger.Ledger
	warning sync.Once
}

// ledgerPath is where the ledger of this machine is: beside Caddy's data, and in no
// store.
func ledgerPath() string { return ledgerBeside(caddy.AppDataDir()) }

func ledgerBeside(data string) string {
	return filepath.Join(filepath.Dir(data), "lamplighter", "spent.jsonl")
}

// Ledger is where this machine remembers spent refresh tokens, and why it cannot, nil if it can.
func Ledger() (path string, err error) { return ledgerPath(), theLedger().Usable() }

func theLedger() *toldLedger {
	path := ledgerPath()
	if l, ok := ledgers.Load(path); ok {
		return l.(*toldLedger)
	}
	l, _ := ledgers.LoadOrStore(path, &toldLedger{Ledger: ledger.New(path)})
	return l.(*toldLedger)
}
