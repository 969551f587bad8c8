// Command lamplighter is Caddy with the modules of Lamplighter: a sidecar that
// puts OAuth 2.0 access tokens into the requests of applications that know
// nothing of them.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

func main() {
	if err := protectMemory(); err != nil {
		fmt.Fprintf(os.Stderr, "lamplighter: a core dump of this process would hold secrets: %v\n", err)
	}
	defaultAdminSocket()
	caddycmd.Main()
}

// defaultAdminSocket makes a unix socket that only this user can open the
// default admin address: on Caddy's TCP default, every container that shares
// the network namespace could load another configuration and have our tokens
// sent elsewhere. An empty CADDY_ADMIN says nothing, where Caddy would take it for
// any port of every interface.
func defaultAdminSocket() {
	if os.Getenv("CADDY_ADMIN") != "" {
		return
	}
	dir := caddy.AppDataDir()
	socket := filepath.Join(dir, "admin.sock")
	if len(os.Args) > 1 && (os.Args[1] == "run" || os.Args[1] == "start") {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			fmt.Fprintf(os.Stderr, "lamplighter: the data directory cannot be made, so there will be no admin socket: %v; set XDG_DATA_HOME to a writable directory\n", err)
		}
		if free := freeSocket(dir); free != socket {
			fmt.Fprintf(os.Stderr, "lamplighter: another instance has %s, so this one has %s; give each its own with CADDY_ADMIN=unix//path/to/socket, for the commands too\n", socket, free)
			socket = free
		}
	}
	caddy.DefaultAdminListen = "unix/" + socket + "|0600"
}

// freeSocket returns the first admin socket in a directory that no other instance
// listens on: Caddy would take it away from that one.
func freeSocket(dir string) string {
	for i := 1; ; i++ {
		name := "admin.sock"
		if i > 1 {
			name = fmt.Sprintf("admin-%d.sock", i)
		}
		socket := filepath.Join(dir, name)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		cancel()
		if err != nil || i == 100 {
			return socket
		}
		_ = conn.Close()
	}
}
