// Package listen answers on which TCP addresses the HTTP servers of a configuration listen,
// and who has them: Caddy lets any number of processes listen on one, and the kernel deals
// connections out among them.
//
// It knows Caddy's HTTP app and the sockets of this machine. It must not know clients, nor
// what is served.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Address is one that a server listens on.
type Address struct {
	// Network is tcp, tcp4 or tcp6.
	Network string

	// HostPort is the address; the host is empty for every interface.
	HostPort string
}

// Addresses are those of an app's servers, in order. Ports that the system chooses, unix
// sockets, and sockets that were inherited are none.
func Addresses(app *caddyhttp.App) (all []Address) {
	repl := caddy.NewReplacer()
	for _, server := range app.Servers {
		for _, text := range server.Listen {
			parsed, err := caddy.ParseNetworkAddress(repl.ReplaceAll(text, ""))
			if err != nil || !strings.HasPrefix(parsed.Network, "tcp") || parsed.StartPort == 0 {
				continue // Caddy says what is wrong
			}
			for offset := range parsed.PortRangeSize() {
				all = append(all, Address{parsed.Network, parsed.JoinHostPort(offset)})
			}
		}
	}
	slices.SortFunc(all, func(a, b Address) int { return strings.Compare(a.HostPort, b.HostPort) })
	return slices.Compact(all)
}

// Try listens once, and alone: without SO_REUSEPORT. Its error is why that is not possible,
// and wraps [ErrInUse] if somebody listens there already, this process included.
func (a Address) Try(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, a.Network, a.HostPort)
	if err == nil {
		return listener.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w", a.HostPort, ErrInUse)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("%s: %w", a.HostPort, err)
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
