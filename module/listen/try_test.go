package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// taken listens as a Caddy of another process does, and returns the port.
func taken(t *testing.T, network, host string) string {
	t.Helper()
	address, err := caddy.ParseNetworkAddress(network + "/" + net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := address.Listen(t.Context(), 0, net.ListenConfig{})
	if err != nil {
		t.Skipf("%s %s: %v", network, host, err)
	}
	t.Cleanup(func() { _ = listener.(net.Listener).Close() })
	_, port, _ := net.SplitHostPort(listener.(net.Listener).Addr().String())
	return port
}

// Whatever socket somebody listens with, one that would get a part of its connections is
// refused; sockets of other interfaces are in nobody's way.
func TestATrialFindsWhoeverListens(t *testing.T) {
	for _, tc := range []struct {
		network, host string
		inUse, free   []Address
	}{
		{"tcp", "", []Address{{"tcp", ""}, {"tcp4", "0.0.0.0"}, {"tcp", "127.0.0.1"}, {"tcp6", "::1"}, {"tcp", "localhost"}, {"tcp", "0.0.0.0"}, {"tcp", "::"}}, nil},
		{"tcp4", "0.0.0.0", []Address{{"tcp", ""}, {"tcp4", "127.0.0.1"}, {"tcp", "::"}}, []Address{{"tcp6", "::1"}}},
		{"tcp4", "127.0.0.1", []Address{{"tcp", ""}, {"tcp4", "0.0.0.0"}, {"tcp", "127.0.0.1"}, {"tcp", "localhost"}}, []Address{{"tcp4", "127.0.0.2"}, {"tcp6", "::1"}}},
		{"tcp6", "::1", []Address{{"tcp", ""}, {"tcp6", "::"}, {"tcp", "::1"}}, []Address{{"tcp4", "127.0.0.1"}, {"tcp4", "0.0.0.0"}}},
	} {
		t.Run(tc.network+" "+tc.host, func(t *testing.T) {
			port := taken(t, tc.network, tc.host)
			for _, a := range tc.inUse {
				a.HostPort = net.JoinHostPort(a.HostPort, port)
				if err := a.Try(t.Context()); !errors.Is(err, ErrInUse) {
					t.Errorf("%s: got %v", a, err)
				}
			}
			for _, a := range tc.free {
				a.HostPort = net.JoinHostPort(a.HostPort, port)
				if err := a.Try(t.Context()); err != nil {
					t.Errorf("%s: got %v", a, err)
				}
			}
		})
	}
}

// A restart finds connections of the former process, which nobody listens for any more.
func TestATrialIsNotHinderedByConnectionsOfBefore(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := Address{"tcp", listener.Addr().String()}
	client, err := net.Dial("tcp", address.HostPort)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	_ = listener.Close()
	for range 2 {
		if err := address.Try(t.Context()); err != nil {
			t.Error(err)
		}
		_, _ = server.Close(), client.Close() // and then what is left of them waits
	}
	if listener, err = net.Listen("tcp", address.HostPort); err != nil {
		t.Fatalf("after the trial: %v", err)
	}
	_ = listener.Close()
}

// Whoever connects before an instance serves is told at once that nobody does, and not by
// a connection that ends.
func TestATrialTakesNobodysConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := Address{"tcp", listener.Addr().String()}
	_ = listener.Close()
	var callers sync.WaitGroup
	var done atomic.Bool
	callers.Go(func() {
		defer done.Store(true)
		for range 1000 {
			// From 127.0.0.2, for a caller at 127.0.0.1 may be given this very port, and reach itself.
			from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			if conn, err := from.Dial("tcp", address.HostPort); err == nil {
				_ = conn.Close()
				t.Error("somebody was connected")
				return
			}
		}
	})
	for !done.Load() {
		if err := address.Try(t.Context()); err != nil {
			t.Error(err)
			break
		}
	}
	callers.Wait()
}

func TestATrialSaysWhyNobodyCanListen(t *testing.T) {
	err := Address{"tcp", "192.0.2.1:8080"}.Try(t.Context())
	if err == nil || errors.Is(err, ErrInUse) || errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestAUnixSocketIsInUseWhileSomebodyAnswersThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	servers := map[string]*caddyhttp.Server{"s": {Listen: []string{"unix/" + path + "|0600", "unix+h2c/" + path}}}
	all := Addresses(&caddyhttp.App{Servers: servers})
	if want := (Address{"unix", path}); len(all) != 1 || all[0] != want || fmt.Sprint(all[0]) != "unix/"+path {
		t.Fatalf("got %v, want %v", all, want)
	}
	if err := all[0].Try(t.Context()); err != nil {
		t.Errorf("there is none: %v", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := all[0].Try(t.Context()); !errors.Is(err, ErrInUse) {
		t.Errorf("somebody answers: %v", err)
	}
	_ = listener.Close()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if err := all[0].Try(t.Context()); err != nil {
		t.Errorf("the file alone is left: %v", err)
	}
}
