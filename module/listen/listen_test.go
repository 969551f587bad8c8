package listen_test

import (
	"errors"
	"net"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/listen"
)

func TestAddressesAreThoseOfTCPWithAPortOfTheirOwn(t *testing.T) {
	t.Setenv("LISTEN_PORT", "8085")
	app := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{
		"a": {Listen: []string{":8080", "127.0.0.1:8081-8082", "unix//run/a.sock", "fd/3", "udp/:8080", "127.0.0.1:0"}},
		"b": {Listen: []string{"tcp4/[::1]:8083", ":8080", "127.0.0.1:{env.LISTEN_PORT}"}},
	}}
	want := []listen.Address{{"tcp", "127.0.0.1:8081"}, {"tcp", "127.0.0.1:8082"}, {"tcp", "127.0.0.1:8085"}, {"tcp", ":8080"}, {"tcp4", "[::1]:8083"}}
	got := listen.Addresses(app)
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i, address := range want {
		if got[i] != address {
			t.Errorf("got %v, want %v", got[i], address)
		}
	}
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listen.Address{Network: "tcp", HostPort: listener.Addr().String()}
	if err := address.Try(t.Context()); !errors.Is(err, listen.ErrInUse) {
		t.Errorf("got %v", err)
	}
	_, port, _ := net.SplitHostPort(address.HostPort)
	everywhere := listen.Address{Network: "tcp", HostPort: ":" + port}
	if err := everywhere.Try(t.Context()); !errors.Is(err, listen.ErrInUse) {
		t.Errorf("every interface: got %v", err)
	}
	_ = listener.Close()
	if err := address.Try(t.Context()); err != nil {
		t.Error(err)
	}
	if err := (listen.Address{Network: "tcp", HostPort: "192.0.2.1:8080"}).Try(t.Context()); err == nil || errors.Is(err, listen.ErrInUse) {
		t.Errorf("an address of another machine: got %v", err)
	}
}
