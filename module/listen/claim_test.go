package listen

import (
	"errors"
	"net"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestTheFirstConfigurationAloneClaimsItsAddresses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Cleanup(func() { alone.Store(false) })
	taken := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"s": {Listen: []string{listener.Addr().String()}}}}
	if err := Claim(t.Context(), taken); err != nil {
		t.Errorf("nobody asked for that: %v", err)
	}
	Alone()
	for range 2 { // a configuration that is loaded after one that was refused is looked at, too
		if err := Claim(t.Context(), taken); !errors.Is(err, ErrInUse) {
			t.Errorf("got %v", err)
		}
	}
	if err := Claim(t.Context(), new(caddyhttp.App)); err != nil {
		t.Error(err)
	}
	if err := Claim(t.Context(), taken); err != nil {
		t.Errorf("a later configuration: %v", err)
	}
}
