// Package listen answers on which addresses the HTTP servers of a configuration listen, and
// who has them: Caddy lets any number of processes listen on a TCP address, among which the
// kernel deals connections out, and takes a unix socket from whoever has it.
//
// It knows Caddy's HTTP app and the sockets of this machine. It must not know clients, nor
// what is served.
package listen

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Address is one that a server listens on.
type Address struct {
	// Network is tcp, tcp4, tcp6 or unix.
	Network string

	// HostPort is the address; the host is empty for every interface. Of a unix socket it
	// is the path.
	HostPort string
}

// String names it for people, as 'bind' has it.
func (a Address) String() string {
	if a.unix() {
		return "unix/" + a.HostPort
	}
	return a.HostPort
}

// Shared says what becomes of the connections where two processes listen.
func (a Address) Shared() string {
	if a.unix() {
		return "of two instances the one that comes last is given all connections"
	}
	return "two instances would be dealt the connections in turn"
}

func (a Address) unix() bool { return a.Network == "unix" }

// Addresses are those of an app's servers, in order. Ports that the system chooses, and
// sockets that were inherited, are none.
func Addresses(app *caddyhttp.App) (all []Address) {
	repl := caddy.NewReplacer()
	for _, server := range app.Servers {
		for _, text := range server.Listen {
			parsed, err := caddy.ParseNetworkAddress(repl.ReplaceAll(text, ""))
			if err != nil {
				continue // Caddy says what is wrong
			}
			if network, _, _ := strings.Cut(parsed.Network, "+"); network == "unix" { // or unix+h2c
				path, _, _ := strings.Cut(parsed.Host, "|") // the mode of the socket
				all = append(all, Address{network, path})
				continue
			}
			if !strings.HasPrefix(parsed.Network, "tcp") || parsed.StartPort == 0 {
				continue
			}
			for offset := range parsed.PortRangeSize() {
				all = append(all, Address{parsed.Network, parsed.JoinHostPort(offset)})
			}
		}
	}
	slices.SortFunc(all, func(a, b Address) int { return strings.Compare(a.HostPort, b.HostPort) })
	return slices.Compact(all)
}

// ErrInUse says that somebody listens on an address.
var ErrInUse = errors.New("the address is in use")

// Process is one that listens on an address.
type Process struct {
	// PID is its number, 0 if it cannot be looked into: another user's, mostly.
	PID int

	// Name is that of its program, "" likewise.
	Name string

	// Own says that it is this process.
	Own bool
}

// String names it for people.
func (p Process) String() string {
	switch {
	case p.Own:
		return "this process"
	case p.PID == 0:
		return "a process that this one cannot look into, such as another user's or container's"
	}
	return fmt.Sprintf("process %d (%s)", p.PID, p.Name)
}
