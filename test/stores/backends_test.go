package stores

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"lamplighter/test/internal/apiserver"
	"lamplighter/test/internal/rig"
)

// backends are all of them.
var backends = map[string]func(t *testing.T) *backend{
	"postgres": postgresBackend, "redis": redisBackend, "kubernetes": kubernetesBackend,
}

// postgresBackend is a primary and a standby that follows it without being waited for.
func postgresBackend(t *testing.T) *backend {
	t.Helper()
	primary := rig.StartPostgres(t)
	var standby *rig.Postgres
	return &backend{
		kind: "postgres", address: primary.Address,
		options: func(address string) string {
			_, port, _ := strings.Cut(address, ":")
			_, own, _ := strings.Cut(primary.Address, ":")
			return "dsn " + secretFile(t, strings.Replace(dsn(primary), "port="+own, "port="+port, 1)) + "\n\t\tdurability local"
		},
		restart: func() {
			primary.Stop(os.Interrupt)
			primary.Start()
			primary.Await()
		},
		prepare: func() {
			if standby == nil {
				standby = primary.Standby(t, "hot_standby=on")
			}
		},
		failure: func() string {
			primary.Stop(os.Kill)
			if err := os.RemoveAll(primary.Dir); err != nil { // it would be many
				t.Error(err)
			}
			primary, standby = standby, nil
			sql(t, dsn(primary), "SELECT pg_promote()")
			return primary.Address
		},
		backup: func(n int) func() {
			restore := primary.Backup(t)
			return func() { restore(n%2 == 1) }
		},
	}
}

// redisBackend is a primary whose writes wait for its replica.
func redisBackend(t *testing.T) *backend {
	t.Helper()
	settings := append([]string{"--min-replicas-to-write", "1"}, kept...)
	primary, replica := rig.StartRedis(t, "redis-server", settings...), rig.StartRedis(t, "redis-server", settings...)
	replicate := func() {
		host, port, _ := strings.Cut(primary.Address, ":")
		do(t, replica, "", "REPLICAOF "+host+" "+port)
		rig.Eventually(t, "the replica follows", func() bool {
			return strings.Contains(fmt.Sprint(do(t, replica, "", "INFO replication")), "master_link_status:up")
		})
	}
	replicate()
	return &backend{
		kind: "redis", address: primary.Address,
		options: func(address string) string { return "address " + address + "\n\t\tdurability replicas 1" },
		restart: func() {
			primary.Stop(os.Kill)
			primary.Start()
			primary.Await()
			replicate()
		},
		failure: func() string {
			primary.Stop(os.Kill)
			primary, replica = replica, primary
			do(t, primary, "", "REPLICAOF NO ONE")
			replica.Start()
			replica.Await()
			replicate()
			return primary.Address
		},
		backup: func(n int) func() {
			restore := primary.Backup(t)
			return func() {
				restore(n%2 == 1)
				replicate()
			}
		},
	}
}

// kubernetesBackend is an API server. It has no standby: it is killed, or ends in good
// order, and starts again.
func kubernetesBackend(t *testing.T) *backend {
	t.Helper()
	c := &cluster{Server: apiserver.Start(t), made: make(map[string]bool)}
	ns := c.namespace(t, rulesOf(allVerbs))
	allowed(t, c.engine(t, ns))
	token := c.Account(t, ns, "lamplighter")
	again := func(kill bool) {
		c.StopAPI(kill)
		c.StartAPI()
	}
	return &backend{
		kind: "kubernetes", address: c.Address,
		options: func(address string) string {
			return fmt.Sprintf("namespace %s\n\t\tapi https://%s\n\t\tca_file %s\n\t\ttoken_file %s", ns, address, c.CAFile, token)
		},
		restart: func() { again(true) },
		prepare: func() { // as a kubelet does, before it is over
			if err := os.WriteFile(token, []byte(c.Token(t, ns, "lamplighter")), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		failure: func() string {
			again(false)
			return c.Address
		},
		backup: func(int) func() { return c.Snapshot(t) },
	}
}
