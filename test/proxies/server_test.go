package proxies

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// site is a client, its server, and what its serve_token says.
type site struct {
	name     string
	server   *rig.Rotating
	settings string // further settings of the client
	block    string // of serve_token

	socket, address string // where the token is, and where the proxy listens
}

// runLamplighter starts one with the clients of the sites, each on a socket of its own, and
// waits until each has a token.
func runLamplighter(t *testing.T, sites ...*site) *rig.Process {
	t.Helper()
	dir := rig.Home(t)
	rig.Write(t, dir, "secret", "secret-of-the-application")
	var clients, blocks strings.Builder
	for i, s := range sites {
		s.socket, s.address = fmt.Sprintf("%s/%d.sock", dir, i), rig.FreeAddress(t)
		name := fmt.Sprintf("app-%d", i)
		rig.Write(t, dir, name+".seed", s.server.Seed)
		fmt.Fprintf(&clients, "\toauth2_client %[1]s {\n\t\ttoken_endpoint %[2]s/token\n\t\tclient_id app\n\t\tclient_secret {file.secret}\n\t\trefresh_token {file.%[1]s.seed}\n\t\trotation required\n\t\trotation_overlap %[3]s\n\t\trefresh_window_ratio 1/2\n\t\tmin_refresh_interval 50ms\n%[4]s\n\t}\n",
			name, s.server.URL, s.server.Overlap(), s.settings)
		fmt.Fprintf(&blocks, "http:// {\n\tbind unix/%s|0660\n\tserve_token /erp* %s {\n%s\n\t}\n}\n", s.socket, name, s.block)
	}
	rig.Write(t, dir, "Caddyfile", "{\n\tgrace_period 5s\n"+clients.String()+"}\n"+blocks.String())
	p := rig.Start(t, dir, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	for _, s := range sites {
		rig.Eventually(t, s.name+" has a token", func() bool {
			if p.Ended() {
				t.Fatalf("lamplighter ended: %v", p.Err)
			}
			return s.server.Rotations() > 0
		})
	}
	return p
}

// A proxy that cannot repeat a request has it fail if its token dies under way, and on a busy
// machine a request takes its time: so much of a token's life is left when it is replaced, half
// of unrepeated, or passes between the hold and the refresh that lets it die.
const (
	unrepeated = 4 * time.Second
	unseen     = "quiesce 1500ms"
)

// load calls the proxy of a site on some connections until its token was replaced so many
// times, and there were so many requests. None may fail.
func load(t *testing.T, s *site, rotations, least int) {
	t.Helper()
	const connections = 4
	until := s.server.Rotations() + rotations
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: rig.Patience}
	defer client.CloseIdleConnections()
	var made, failed atomic.Int64
	var all sync.WaitGroup
	for c := range connections {
		all.Go(func() {
			for n := 0; (s.server.Rotations() < until || made.Load() < int64(least)) && t.Context().Err() == nil; n++ {
				why := call(client, s, c, n)
				made.Add(1)
				if why != "" && failed.Add(1) <= 5 {
					t.Errorf("%s: %s", s.name, why)
				}
			}
		})
	}
	all.Wait()
	rotations += s.server.Rotations() - until
	seen := s.server.Seen()
	t.Logf("%s: %d requests over %d rotations, %d failed, %d rejected by the API", s.name, made.Load(), rotations, failed.Load(), seen.Replaced+seen.Refused)
}

// call makes one, every other one with a body, and says what is wrong with its answer.
func call(client *http.Client, s *site, connection, n int) (why string) {
	method, sent := http.MethodGet, ""
	if n%2 == 1 {
		method, sent = http.MethodPost, strings.Repeat(fmt.Sprintf("%d-%d ", connection, n), 200)
	}
	path := fmt.Sprintf("/orders/%d/%d", connection, n)
	req, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(sent))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer of the visitor")
	req.Header.Set("Lamplighter-Rejected", "1-00000000")
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if want := method + " " + path + " " + sent; err != nil || res.StatusCode != http.StatusOK || string(got) != want {
		return fmt.Sprintf("%s %s: got %d %.200s, %v", method, path, res.StatusCode, got, err)
	}
	return ""
}
