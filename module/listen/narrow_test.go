package listen_test

import (
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/listen"
)

func TestASiteThatAnswersOneAddressAloneIsNoticed(t *testing.T) {
	for _, one := range []struct {
		listen string
		hosts  caddyhttp.MatchHost
		want   []listen.NarrowSite
	}{
		{":8080", caddyhttp.MatchHost{"127.0.0.1"}, []listen.NarrowSite{{"127.0.0.1", ":8080", "127.0.0.1"}}},
		{":8080", caddyhttp.MatchHost{"localhost"}, []listen.NarrowSite{{"localhost", ":8080", "127.0.0.1 [::1]"}}},
		{":8080", caddyhttp.MatchHost{"[::1]"}, []listen.NarrowSite{{"[::1]", ":8080", "[::1]"}}},
		{":8080", caddyhttp.MatchHost{"erp.example.com"}, nil},
		{":8080", caddyhttp.MatchHost{"127.0.0.1", "erp.example.com"}, nil},
		{"127.0.0.1:8080", caddyhttp.MatchHost{"127.0.0.1"}, nil},
		{"unix//run/a.sock", caddyhttp.MatchHost{"127.0.0.1"}, nil},
		{":8080", nil, nil},
	} {
		server := &caddyhttp.Server{Listen: []string{one.listen}, Routes: caddyhttp.RouteList{{MatcherSets: caddyhttp.MatcherSets{{&one.hosts}}}}}
		if got := listen.Narrow(server); !slices.Equal(got, one.want) {
			t.Errorf("%s %v: got %+v, want %+v", one.listen, one.hosts, got, one.want)
		}
	}
}
