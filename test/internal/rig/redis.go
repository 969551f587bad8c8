package rig

import (
	"net"
	"testing"
)

// Redis is a Redis or Valkey server on loopback.
type Redis struct {
	*Server
	Address string
}

// StartRedis starts a new server: redis-server, valkey-server or redis-sentinel, with
// settings as on its command line, such as "--appendonly", "yes".
func StartRedis(t testing.TB, program string, settings ...string) *Redis {
	t.Helper()
	path := Need(t, program, "install "+program)
	address := FreeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	command := []string{path}
	if program == "redis-sentinel" {
		command = append(command, settings[0]) // its configuration, which it writes
		settings = settings[1:]
	}
	command = append(command, "--bind", host, "--port", port)
	if program != "redis-sentinel" {
		command = append(command, "--save", "", "--repl-diskless-sync-delay", "0")
	}
	r := &Redis{Serve(t, Directory(t, ""), append(command, settings...)...), address}
	r.Await()
	return r
}

// Await waits until it accepts connections.
func (r *Redis) Await() {
	r.T.Helper()
	r.Until("it accepts connections", func() bool { return Listens(r.Address) })
}
