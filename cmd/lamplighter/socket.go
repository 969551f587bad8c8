package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// adminSocket makes a unix socket that only this user can open the default admin address:
// on Caddy's TCP default, every container that shares the network namespace could load
// another configuration and have our tokens sent elsewhere. An empty CADDY_ADMIN says
// nothing, where Caddy would take it for any port of every interface.
func adminSocket(serves bool) {
	if os.Getenv("CADDY_ADMIN") != "" {
		return
	}
	socket := answering
	if serves {
		socket = ownSocket
	}
	caddy.DefaultAdminListen = "unix/" + socket() + "|0600"
}

const socketName = "admin.sock"

// ownSocket is that of an instance which is about to start.
func ownSocket() string {
	dir := runtimeDir(true)
	if dir == "" {
		dir = dataDir()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			fmt.Fprintf(os.Stderr, "lamplighter: %s cannot be made, so there will be no admin socket: %v; set XDG_RUNTIME_DIR or XDG_DATA_HOME to a directory of this user's\n", dir, err)
		}
	}
	socket := filepath.Join(dir, socketName)
	free := freeSocket(dir)
	if free != socket {
		fmt.Fprintf(os.Stderr, "lamplighter: another instance has %s, so this one has %s; give each its own with CADDY_ADMIN=unix//path/to/socket, for the commands too\n", socket, free)
	}
	return free
}

// answering is the socket of an instance for a command: the first place where one answers,
// or else where one would be.
func answering() string {
	var places []string
	if dir := runtimeDir(false); dir != "" {
		places = append(places, dir)
	}
	// Until now it was in Caddy's own data; and a package's service has it below /run.
	places = append(places, dataDir(), caddy.AppDataDir(), "/run/lamplighter")
	for _, dir := range places {
		if listens(filepath.Join(dir, socketName)) {
			return filepath.Join(dir, socketName)
		}
	}
	return filepath.Join(places[0], socketName)
}

// dataDir is beside Caddy's data, which 'storage export' carries: a socket is no file.
func dataDir() string { return filepath.Join(filepath.Dir(caddy.AppDataDir()), "lamplighter") }

// runtimeDir is the directory for sockets in the one that the system gives this user, "" if
// there is none or others can do more than pass through it. It is made if there is none yet and it is
// wanted.
func runtimeDir(wanted bool) string {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(base) {
		return ""
	}
	dir := filepath.Join(base, "lamplighter")
	if wanted {
		_ = os.Mkdir(dir, 0o700) // what is wrong shows now
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() || !private(info) {
		return ""
	}
	return dir
}

// freeSocket returns the first admin socket in a directory that no other instance
// listens on: Caddy would take it away from that one.
func freeSocket(dir string) string {
	for i := 1; ; i++ {
		name := socketName
		if i > 1 {
			name = fmt.Sprintf("admin-%d.sock", i)
		}
		socket := filepath.Join(dir, name)
		if i == 100 || !listens(socket) {
			return socket
		}
	}
}

// listens reports whether somebody accepts connections at a socket.
func listens(socket string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
