package stores

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
	"lamplighter/test/internal/rig"
)

// TestPostgresBehindAPoolerKeepsTheContract: with a connection for each transaction,
// notifications are lost in silence, and only they.
func TestPostgresBehindAPoolerKeepsTheContract(t *testing.T) {
	p := rig.StartPostgres(t)
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			pooler := rig.StartPgBouncer(t, p, mode)
			engine := func(t *testing.T) store.Engine { return postgresEngine(t, at(p, pooler)) }
			storetest.Run(t, engine, storetest.Secrets(rig.PostgresPassword))
			t.Run("TellsOfChangesIfItCan", func(t *testing.T) {
				e := opened(t, engine(t))
				if mode == "session" {
					w := watch(t, e, "client")
					if _, err := e.Put(t.Context(), "client", []byte("x"), ""); err != nil {
						t.Fatal(err)
					}
					w.tells(t, "client")
					return
				}
				err := e.Watch(t.Context(), []string{"client"}, func() {}, func(string) {})
				if !errors.Is(err, store.ErrNoWatch) || !strings.Contains(err.Error(), "name the server itself, or let the pooler keep sessions") {
					t.Errorf("what is told is lost, and it says: %v", err)
				}
			})
		})
	}
}

// at is how the superuser connects by another address.
func at(p *rig.Postgres, address string) string {
	_, port, _ := strings.Cut(address, ":")
	_, own, _ := strings.Cut(p.Address, ":")
	return strings.Replace(dsn(p), "port="+own, "port="+port, 1)
}

// TestReplicasBehindAPoolerFollow: they compare versions each second.
func TestReplicasBehindAPoolerFollow(t *testing.T) {
	p := rig.StartPostgres(t)
	d := newDeployment(t, &backend{
		kind: "postgres", address: rig.StartPgBouncer(t, p, "transaction"),
		options: func(address string) string { return "dsn " + secretFile(t, at(p, address)) },
	}, 2*time.Second, 2*time.Second, "6s")
	for _, name := range []string{"one", "two"} {
		d.replicas = append(d.replicas, d.start(name))
	}
	rig.Eventually(t, "they have begun", d.rotated(0))
	rig.Eventually(t, "they have rotated", d.rotated(d.servers.Stats().Generation+1))
	if s := d.servers.Stats(); s.TokenRequests != s.Generation || s.Spent != 0 {
		t.Errorf("%+v", s)
	}
	for _, r := range d.replicas {
		if !strings.Contains(r.Output.String(), "name the server itself, or let the pooler keep sessions") {
			t.Errorf("%s does not say that it hears of nothing", r.name)
		}
	}
}
