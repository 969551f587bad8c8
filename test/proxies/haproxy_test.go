package proxies

import (
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// startHAProxy starts one for a site, which is that of the page but for its addresses, and
// waits until it listens. Its script asks for each request, or once a second.
func startHAProxy(t *testing.T, s *site, seldom bool) {
	t.Helper()
	haproxy := rig.Need(t, "haproxy", "install haproxy")
	dir := rig.Home(t)
	config := documented(t, "haproxy", 1)[0]
	scripts := documented(t, "lua", 2)
	script := rig.Replaced(t, scripts[0], "unix@/run/lamplighter/token.sock", "unix@"+s.socket)
	if seldom {
		before, _, found := strings.Cut(script, `core.register_action("token"`)
		if !found {
			t.Fatal("the script has no action")
		}
		script = before + scripts[1]
	}
	path := rig.Write(t, dir, "lamplighter.lua", script)
	rig.Write(t, dir, "haproxy.cfg", rig.Replaced(t, config, "/etc/haproxy/lamplighter.lua", path, "bind :8080", "bind "+s.address,
		"erp.example.com:443 ssl verify required ca-file @system-ca sni str(erp.example.com)", strings.TrimPrefix(s.server.API.URL, "http://")))
	p := rig.StartBinary(t, haproxy, dir, rig.Environment(dir), "-db", "-f", "haproxy.cfg")
	rig.Eventually(t, "HAProxy listens and has a token", func() bool {
		if p.Ended() {
			t.Fatalf("HAProxy ended: %v\n%s", p.Err, p.Output)
		}
		return rig.Listens(s.address) && answerOf(t, s, "/orders").Status == 200
	})
}

// TestHAProxyAsksForTheTokenWhileItIsReplaced: no request fails that is shorter than quiesce.
func TestHAProxyAsksForTheTokenWhileItIsReplaced(t *testing.T) {
	t.Parallel()
	rig.Need(t, "haproxy", "install haproxy")
	sites := []struct {
		*site
		seldom    bool
		rotations int
	}{
		{&site{name: "each time, until_expiry", server: rig.StartRotating(t, true, unrepeated, 0)}, false, 20},
		{&site{name: "each time, none", server: rig.StartRotating(t, false, unrepeated, 0), settings: unseen}, false, 12},
		{&site{name: "each time, none, 6 KB", server: rig.StartRotating(t, false, unrepeated, 6<<10), settings: unseen}, false, 12},
		{&site{name: "once a second, until_expiry", server: rig.StartRotating(t, true, unrepeated+unrepeated/2, 0)}, true, 10},
	}
	var plain []*site
	for _, s := range sites {
		plain = append(plain, s.site)
	}
	runLamplighter(t, plain...)
	for _, s := range sites {
		startHAProxy(t, s.site, s.seldom)
	}
	var all sync.WaitGroup
	for _, s := range sites {
		all.Go(func() { load(t, s.site, s.rotations, 0) })
	}
	all.Wait()
}

// TestHAProxyAnswers503WhereThereIsNoToken: and Retry-After.
func TestHAProxyAnswers503WhereThereIsNoToken(t *testing.T) {
	t.Parallel()
	rig.Need(t, "haproxy", "install haproxy")
	s := &site{name: "one", server: rig.StartRotating(t, true, time.Hour, 0)}
	p := runLamplighter(t, s)
	startHAProxy(t, s, false)
	p.Kill()
	if got := answerOf(t, s, "/orders"); got.Status != 503 || got.Header.Get("Retry-After") != "1" {
		t.Errorf("got %v %v", got, got.Header)
	}
}

// TestARefusedTokenIsReplacedForTheNextRequestOfHAProxy: somebody else may have ended it.
func TestARefusedTokenIsReplacedForTheNextRequestOfHAProxy(t *testing.T) {
	t.Parallel()
	rig.Need(t, "haproxy", "install haproxy")
	for name, seldom := range map[string]bool{"each time": false, "once a second": true} {
		s := &site{name: name, server: rig.StartRotating(t, true, time.Hour, 0)}
		runLamplighter(t, s)
		startHAProxy(t, s, seldom)
		time.Sleep(100 * time.Millisecond) // min_refresh_interval
		s.server.Kill()
		if got := answerOf(t, s, "/orders"); got.Status != 401 {
			t.Errorf("%s: got %v, of the API itself", name, got)
		}
		rig.Eventually(t, name+": there is another token", func() bool { return answerOf(t, s, "/orders").Status == 200 })
		if n := s.server.Rotations(); n != 2 {
			t.Errorf("%s: %d tokens", name, n)
		}
	}
}
