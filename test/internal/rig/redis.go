package rig

import (
	"net"
	"os"
	"path/filepath"
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

// Backup returns a function that restores the server from a copy of its append-only file
// of now; or, empty, as it is when it is given another copy than that which it reads.
func (r *Redis) Backup(t testing.TB) (restore func(empty bool)) {
	t.Helper()
	const file = "appendonlydir"
	from := Directory(t, "")
	if err := os.CopyFS(from, os.DirFS(filepath.Join(r.Dir, file))); err != nil {
		t.Fatal(err)
	}
	return func(empty bool) {
		t.Helper()
		r.Stop(os.Kill)
		err := os.RemoveAll(filepath.Join(r.Dir, file))
		if err == nil && !empty {
			err = os.CopyFS(filepath.Join(r.Dir, file), os.DirFS(from))
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Start()
		r.Await()
	}
}

// TLS has a server listen with TLS too, and returns the address of that.
func (r *Redis) TLS(t testing.TB) (address string) {
	t.Helper()
	address = FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	r.Stop(os.Kill)
	r.command = append(r.command, "--tls-port", port)
	r.Start()
	r.Until("it accepts connections", func() bool { return Listens(address) })
	return address
}
