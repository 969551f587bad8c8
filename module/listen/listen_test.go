package listen_test

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/listen"
)

func TestAddressesAreThoseThatNobodyHandedOver(t *testing.T) {
	t.Setenv("LISTEN_PORT", "8085")
	app := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{
		"a": {Listen: []string{":8080", "127.0.0.1:8081-8082", "unix//run/a.sock", "fd/3", "udp/:8080", "127.0.0.1:0"}},
		"b": {Listen: []string{"tcp4/[::1]:8083", ":8080", "127.0.0.1:{env.LISTEN_PORT}"}},
	}}
	want := []listen.Address{{"unix", "/run/a.sock"}, {"tcp", "127.0.0.1:8081"}, {"tcp", "127.0.0.1:8082"}, {"tcp", "127.0.0.1:8085"}, {"tcp", ":8080"}, {"tcp4", "[::1]:8083"}}
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
