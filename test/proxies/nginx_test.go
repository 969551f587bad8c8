package proxies

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// nginxSite is a site of nginx, as docs/serving.md shows it.
type nginxSite struct {
	*site
	cached bool
}

// How many blocks of a language the page has: the server, what it includes, and three pieces
// for a cache.
const nginxBlocks = 5

// startNginx starts one with the sites, which are those of the page but for their addresses,
// and waits until it listens.
func startNginx(t *testing.T, sites ...nginxSite) {
	t.Helper()
	nginx := rig.Need(t, "nginx", "install nginx")
	dir, blocks := rig.Home(t), documented(t, "nginx", nginxBlocks)
	var servers strings.Builder
	for i, s := range sites {
		name := fmt.Sprintf("lamplighter%d", i)
		server := rig.Replaced(t, blocks[0], "unix:/run/lamplighter/token.sock", "unix:"+s.socket, "upstream lamplighter ", "upstream "+name+" ",
			"lamplighter.conf", name+".conf", "listen 8080", "listen "+s.address, "https://erp.example.com", s.server.API.URL)
		included := rig.Replaced(t, blocks[1], "http://lamplighter/erp", "http://"+name+"/erp")
		if s.cached {
			servers.WriteString(rig.Replaced(t, blocks[2], "/run/nginx/token", dir+"/cache-"+name, "token:1m", name+":1m"))
			included += rig.Replaced(t, blocks[3], "proxy_cache token", "proxy_cache "+name)
			server = rig.Replaced(t, server, "proxy_set_header Lamplighter-Rejected $generation;", "proxy_set_header Lamplighter-Rejected $generation;\n"+blocks[4])
		}
		servers.WriteString(server)
		rig.Write(t, dir, name+".conf", included)
	}
	rig.Write(t, dir, "nginx.conf", `daemon off; master_process off; pid nginx.pid; error_log stderr error; events { }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
`+servers.String()+"\n}\n")
	p := rig.StartBinary(t, nginx, dir, rig.Environment(dir), "-p", dir, "-c", "nginx.conf")
	for _, s := range sites {
		rig.Eventually(t, "nginx listens at "+s.address, func() bool {
			if p.Ended() {
				t.Fatalf("nginx ended: %v\n%s", p.Err, p.Output)
			}
			return rig.Listens(s.address)
		})
	}
}

// TestNginxAsksForTheTokenWhileItIsReplaced: no request fails, whether the old token lives on
// or dies with the birth of its successor.
func TestNginxAsksForTheTokenWhileItIsReplaced(t *testing.T) {
	t.Parallel()
	rig.Need(t, "nginx", "install nginx")
	const often, seldom = time.Second, 4 * time.Second // replaced when half of it is over
	const pause = "quiesce 50ms"
	sites := []nginxSite{
		{&site{name: "each time, until_expiry", server: rig.StartRotating(t, true, often, 0)}, false},
		{&site{name: "each time, none", server: rig.StartRotating(t, false, often, 0), settings: pause}, false},
		{&site{name: "each time, none, 6 KB", server: rig.StartRotating(t, false, often, 6<<10), settings: pause}, false},
		{&site{name: "cached, until_expiry", server: rig.StartRotating(t, true, seldom, 0), block: "cache"}, true},
		{&site{name: "cached with feedback, none", server: rig.StartRotating(t, false, seldom, 0), settings: pause, block: "cache feedback"}, true},
	}
	var plain []*site
	for _, s := range sites {
		plain = append(plain, s.site)
	}
	runLamplighter(t, plain...)
	startNginx(t, sites...)
	var all sync.WaitGroup
	for _, s := range sites {
		rotations := 50
		if s.cached {
			rotations = 10
		}
		all.Go(func() { load(t, s.site, rotations, *requests) })
	}
	all.Wait()
}

// answerOf is what a proxy answers to a GET.
func answerOf(t *testing.T, s *site, path string) rig.Answer {
	t.Helper()
	return rig.Get(t, s.address, path)
}

// TestNginxAnswers503WhereThereIsNoToken: a client waits and tries again, and is not told that
// the site is broken. The API's own answers stay what they are.
func TestNginxAnswers503WhereThereIsNoToken(t *testing.T) {
	t.Parallel()
	rig.Need(t, "nginx", "install nginx")
	s := nginxSite{&site{name: "one", server: rig.StartRotating(t, true, time.Hour, 0), settings: "wait 200ms"}, false}
	p := runLamplighter(t, s.site)
	startNginx(t, s)
	for path, want := range map[string]int{"/orders": 200, "/status/500": 500, "/status/503": 503, "/status/403": 403, "/status/404": 404} {
		if got := answerOf(t, s.site, path); got.Status != want {
			t.Errorf("%s: got %v, want %d", path, got, want)
		}
	}
	s.server.SetAway(true)
	s.server.Kill()
	if got := answerOf(t, s.site, "/orders"); got.Status != 503 || got.Header.Get("Retry-After") != "1" {
		t.Errorf("with a token that the API refuses: got %v %v", got, got.Header)
	}
	s.server.SetAway(false)
	rig.Eventually(t, "there is a token again", func() bool { return answerOf(t, s.site, "/orders").Status == 200 })
	p.Kill()
	if got := answerOf(t, s.site, "/orders"); got.Status != 503 || got.Header.Get("Retry-After") != "1" {
		t.Errorf("without Lamplighter: got %v %v", got, got.Header)
	}
}

// TestNoVisitorOfNginxForcesRefreshes: what a visitor sends is not what nginx asks with, and a
// visitor who can make the API answer 401 makes one refresh of it.
func TestNoVisitorOfNginxForcesRefreshes(t *testing.T) {
	t.Parallel()
	rig.Need(t, "nginx", "install nginx")
	s := nginxSite{&site{name: "one", server: rig.StartRotating(t, true, time.Hour, 0), block: "audit"}, false}
	runLamplighter(t, s.site)
	startNginx(t, s)
	for range 20 {
		got := visit(t, s.address, "/orders", "Lamplighter-Rejected", "1-00000000", "Lamplighter-Token", "no", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site",
			"X-Forwarded-For", "192.0.2.7", "Accept", "application/json", "Host", "evil.example.com")
		if got != 200 {
			t.Errorf("got %d", got)
		}
	}
	if n := s.server.Rotations(); n != 1 {
		t.Errorf("%d tokens", n)
	}
	time.Sleep(100 * time.Millisecond) // min_refresh_interval
	for range 50 {
		if got := visit(t, s.address, "/status/401"); got != 401 {
			t.Errorf("got %d", got)
		}
	}
	if n := s.server.Rotations(); n > 2 {
		t.Errorf("%d tokens", n)
	}
}

func visit(t *testing.T, address, path string, header ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
