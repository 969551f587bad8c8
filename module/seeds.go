package module

import (
	"path/filepath"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
)

// seeds are the refresh tokens that the clients of a configuration were given, by
// their fingerprints. One token belongs to one client: two would spend each other's.
type seeds map[record.Fingerprint]*Client

// claim makes a seed that of a client, unless it is another's. It returns whose it
// is.
func (s seeds) claim(seed record.Fingerprint, c *Client) (owner *Client) {
	if owner = s[seed]; owner == nil {
		s[seed], owner = c, c
	}
	return owner
}

// elsewhere returns whose a refresh token is, or was, as far as the keepers of this
// process and the ledger of this machine know. What is in the client's own store is
// claimed there, so that the keepers of that count only if all do.
func (c *Client) elsewhere(token, binding record.Fingerprint, all bool) *keeper.Owner {
	if key, ok := inUse.holder(c.keeperKey, all, token, binding); ok {
		return c.ownerIn(key.dir, key.name, filepath.Join(key.dir, key.name+".json"))
	}
	e, ok := theLedger().Of(token)
	if !ok || e.Said == ledger.Refused && e.Binding != binding {
		return nil
	}
	if e.Client == c.name && e.Place == c.use.store.Describe(c.name) {
		return &keeper.Owner{Client: c.name, Place: redact.Visible(e.Place), Own: true}
	}
	return c.ownerIn(e.Store, e.Client, e.Place)
}

// ownerIn is a client with a record in some store.
func (c *Client) ownerIn(dir, name, place string) *keeper.Owner {
	o := &keeper.Owner{Client: name, Place: redact.Visible(place)}
	if dir != c.use.dir {
		o.Store = redact.Visible(dir)
	}
	return o
}

// spent notes what became of a refresh token of the client's.
func (c *Client) spent(token, binding record.Fingerprint, said ledger.Said, old bool) {
	l := theLedger()
	l.Note(ledger.Entry{
		Token: token, Said: said, Binding: binding, Client: c.name,
		Place: c.use.store.Describe(c.name), Store: c.use.dir,
	}, old)
	if err := l.Fault(); err != nil && c.log != nil {
		l.warning.Do(func() {
			c.log.Logger.Warn("a change of a client's store will not be noticed, and may present a spent refresh token: the ledger of this machine cannot be written",
				zap.String("ledger", ledgerPath()), zap.Error(printableErr(err)))
		})
	}
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
func ledgerPath() string {
	return filepath.Join(filepath.Dir(caddy.AppDataDir()), "lamplighter", "spent.jsonl")
}

func theLedger() *toldLedger {
	path := ledgerPath()
	if l, ok := ledgers.Load(path); ok {
		return l.(*toldLedger)
	}
	l, _ := ledgers.LoadOrStore(path, &toldLedger{Ledger: ledger.New(path)})
	return l.(*toldLedger)
}
