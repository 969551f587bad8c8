package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	_ "unsafe" // for go:linkname

	_ "github.com/caddyserver/caddy/v2/notify" // whose variable it is
	"golang.org/x/sys/unix"
)

// notifySocket is where Caddy tells systemd how it is, which it has read from the
// environment before main begins.
//
//go:linkname notifySocket github.com/caddyserver/caddy/v2/notify.socketPath
var notifySocket string

// relayReadiness has systemd told of a start only if there was one: Caddy says READY=1 after
// a first configuration that could not be loaded, too, so that 'systemctl start' and an
// upgrade would succeed before the process ends.
func relayReadiness() error {
	if notifySocket == "" {
		return nil
	}
	listener, err := listenUnnamed()
	if err != nil {
		return err
	}
	to, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		_ = listener.Close()
		return err
	}
	notifySocket = listener.address
	go relay(listener.UnixConn, to)
	return nil
}

// unnamed is a socket that has an address for this process alone, and no file.
type unnamed struct {
	*net.UnixConn
	address string
}

// listenUnnamed makes one. Its file is gone before anybody is told of it, so that nothing is
// left behind, however the process ends; and other users of this machine cannot write to it,
// as they could to one in the abstract namespace.
func listenUnnamed() (*unnamed, error) {
	dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	dir, err := os.MkdirTemp(dir, "notify-") // else in the usual place
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "s")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: file, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	held, err := unix.Open(file, unix.O_PATH|unix.O_CLOEXEC, 0) // as long as the process lives
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	return &unnamed{listener, fmt.Sprintf("/proc/self/fd/%d", held)}, nil
}

// relay passes on what a manager of services is to know, as long as the process lives.
func relay(from, to *net.UnixConn) {
	var r readiness
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		text := r.next(string(buffer[:n]))
		if text == "" {
			continue
		}
		if _, err := to.Write([]byte(text)); err != nil {
			fmt.Fprintf(os.Stderr, "lamplighter: systemd cannot be told %.20q: %v\n", text, err)
		}
	}
}

// readiness is what Caddy has said so far.
type readiness struct {
	started bool // a configuration was loaded
	failed  bool // the one that is being loaded was not
}

// next returns what is told instead of a message, "" for nothing. What failed is forgotten
// once a configuration was loaded.
func (r *readiness) next(text string) string {
	switch {
	case strings.HasPrefix(text, "RELOADING=1"):
		r.failed = false
		if !r.started {
			return ""
		}
	case strings.HasPrefix(text, "STATUS="):
		r.failed = true
	case text == "READY=1" && !r.failed:
		r.started = true
		return text + "\nSTATUS="
	case text == "READY=1" && !r.started:
		return ""
	}
	return text
}
