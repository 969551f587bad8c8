package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/service"
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

// packaged is where a package's service has its socket.
const packaged = "/run/lamplighter"

// answering is the socket of an instance for a command: the first place where one answers,
// or else where one would be. That of a service comes first where its configuration is named.
func answering() string {
	var places []string
	if dir := runtimeDir(false); dir != "" {
		places = append(places, dir)
	}
	// Until now it was in Caddy's own data.
	places = append(places, dataDir(), caddy.AppDataDir())
	config := service.Config(os.Args[1:])
	services := config != "" && service.Of(config) != nil
	if places = slices.DeleteFunc(places, func(dir string) bool { return dir == packaged }); services {
		places = slices.Insert(places, 0, packaged)
	} else {
		places = append(places, packaged)
	}
	sockets := make([]string, len(places))
	for i, dir := range places {
		sockets[i] = filepath.Join(dir, socketName)
	}
	chosen, other := choose(sockets, dial, config == "" || services)
	if other != "" && asks(os.Args) {
		fmt.Fprintf(os.Stderr, "lamplighter: two instances answer, and this is for the one at unix/%s, unless a configuration is named that says otherwise; the other one: --address unix/%s\n", chosen, other)
	}
	return chosen
}

// choose returns the first socket that answers, and another one that does. If none does, it is
// one that others than this user may open, if that may be meant, and else the first.
func choose(sockets []string, dial func(string) error, closedToo bool) (chosen, other string) {
	closed := ""
	for _, socket := range sockets {
		switch err := dial(socket); {
		case err == nil && chosen == "":
			chosen = socket
		case err == nil:
			other = cmp.Or(other, socket)
		case errors.Is(err, fs.ErrPermission) && closedToo:
			closed = cmp.Or(closed, socket)
		}
	}
	return cmp.Or(chosen, closed, sockets[0]), other
}

// asks reports whether a command is for an instance, and nobody has said which.
func asks(args []string) bool {
	return len(args) > 1 && slices.Contains([]string{"tokens", "doctor", "reload", "stop"}, args[1]) &&
		!slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--address") })
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
func listens(socket string) bool { return dial(socket) == nil }

// dial is why nobody accepts connections at a socket, nil if somebody does.
func dial(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	_ = conn.Close()
	return nil
}
