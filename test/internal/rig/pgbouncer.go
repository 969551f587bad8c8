package rig

import (
	"fmt"
	"net"
	"testing"
)

// StartPgBouncer starts a pooler before a server, which keeps connections for sessions or
// for transactions, and returns its address.
func StartPgBouncer(t testing.TB, p *Postgres, mode string) (address string) {
	t.Helper()
	program := Need(t, "pgbouncer", "install pgbouncer")
	dir := Directory(t, postgresUser)
	address = FreeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	of, at, _ := net.SplitHostPort(p.Address)
	users := Write(t, dir, "users", fmt.Sprintf("%q %q\n", "postgres", PostgresPassword))
	config := Write(t, dir, "pgbouncer.ini", fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = %s
default_pool_size = 25
`, of, at, host, port, users, mode))
	Give(t, users, postgresUser)
	Give(t, config, postgresUser)
	s := Serve(t, dir, As(postgresUser, program, config)...)
	s.Until("the pooler accepts connections", func() bool { return Listens(address) })
	return address
}
