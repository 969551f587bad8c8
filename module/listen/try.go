package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Try finds out whether this process could listen, and nobody else does. It takes no
// connection that is meant for somebody: a TCP address is bound and not listened on, and a
// unix socket called. Its error wraps [ErrInUse] if somebody listens there, this process
// included; any other is why nobody can.
func (a Address) Try(ctx context.Context) error {
	if a.unix() {
		return a.call(ctx)
	}
	// Control comes when the socket is all that net makes of one to listen on, for each
	// address that a name may have. It has no SO_REUSEPORT, and so cannot be bound to what
	// another one listens on; but beside one that is no more than bound itself, it can.
	config := net.ListenConfig{Control: func(network, address string, conn syscall.RawConn) error {
		to, err := sockaddr(network, address)
		if err != nil {
			return err
		}
		if controlErr := conn.Control(func(fd uintptr) { err = bind(fd, to) }); controlErr != nil {
			return controlErr
		}
		if err == nil {
			err = errBound // which is all there is to do
		}
		return err
	}}
	config.SetMultipathTCP(false) // that would be tried again without
	_, err := config.Listen(ctx, a.Network, a.HostPort)
	switch {
	case errors.Is(err, errBound):
		return nil
	case inUse(err):
		return fmt.Errorf("%s: %w", a, ErrInUse)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("%s: %w", a, err)
}

// errBound ends what net does to listen.
var errBound = errors.New("the address is bound")

// sockaddr is the address that a socket of net's is about to be bound to.
func sockaddr(network, address string) (syscall.Sockaddr, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, err
	}
	ip := netip.IPv6Unspecified()
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return nil, err
		}
	}
	if network == "tcp4" {
		to := &syscall.SockaddrInet4{Port: int(port)}
		if !ip.IsUnspecified() {
			to.Addr = ip.Unmap().As4()
		}
		return to, nil
	}
	to := &syscall.SockaddrInet6{Port: int(port)}
	if !ip.IsUnspecified() {
		to.Addr = ip.As16()
	}
	if ip.Zone() == "" {
		return to, nil
	}
	zone, err := net.InterfaceByName(ip.Zone())
	if err != nil {
		return nil, err
	}
	to.ZoneId = uint32(zone.Index) //nolint:gosec // an index of the system, above zero
	return to, nil
}

// call asks whether somebody answers at a unix socket. The file that is left of one that
// nobody listens on any more is in nobody's way, and Caddy removes it.
func (a Address) call(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, a.Network, a.HostPort)
	switch {
	case err == nil:
		_ = conn.Close()
	case !errors.Is(err, syscall.EAGAIN): // which says that too many wait there
		return nil
	}
	return fmt.Errorf("%s: %w", a, ErrInUse)
}
