package proxies

import (
	"strings"
	"sync"
	"testing"

	"lamplighter/test/internal/rig"
)

// startCaddy starts one for a site, with the configuration of the page but for its addresses.
func startCaddy(t *testing.T, s *site) {
	t.Helper()
	dir := rig.Home(t)
	rig.Write(t, dir, "Caddyfile", "{\n\tadmin off\n}\n"+rig.Replaced(t, rig.Example(t, "caddyfile", "http://:8080 {\n\tforward_auth "), "unix//run/lamplighter/token.sock", "unix/"+s.socket,
		"http://:8080 {", "http://:"+s.address[strings.LastIndexByte(s.address, ':')+1:]+" {\n\tbind 127.0.0.1", "https://erp.example.com", s.server.API.URL))
	rig.RunSidecar(t, dir, s.address)
}

// TestCaddyAsksForTheTokenWhileItIsReplaced: Caddy's own forward_auth, with the configuration of
// the page. What its callers send neither keeps them from their answer nor forces a refresh.
func TestCaddyAsksForTheTokenWhileItIsReplaced(t *testing.T) {
	t.Parallel()
	sites := []*site{
		{name: "until_expiry", server: rig.StartRotating(t, true, unrepeated, 0), block: "forwarded"},
		{name: "none", server: rig.StartRotating(t, false, unrepeated, 6<<10), settings: unseen, block: "forwarded"},
	}
	runLamplighter(t, sites...)
	for _, s := range sites {
		startCaddy(t, s)
	}
	var all sync.WaitGroup
	for _, s := range sites {
		if got := visit(t, s.address, "/orders", "Lamplighter-Token", "no", "Lamplighter-Rejected", "1-00000000", "Authorization", "Bearer of the visitor",
			"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Accept", "application/json", "Host", "shop.example.com"); got != 200 {
			t.Errorf("%s: got %d", s.name, got)
		}
		all.Go(func() { load(t, s, 10, 0) })
	}
	all.Wait()
}
