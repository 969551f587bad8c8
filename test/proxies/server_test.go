package proxies

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// server is an authorization server that replaces the refresh token with each refresh, and
// the API that its access tokens are for.
type server struct {
	*httptest.Server
	API *httptest.Server

	lenient  bool          // an access token lives until it expires, and not until the next one is issued
	lifetime time.Duration // of an access token
	size     int           // of an access token, if it is large
	seed     string        // the first refresh token

	mu       sync.Mutex
	away     bool // no token request is answered
	refresh  string
	access   []issued
	spent    int // refresh tokens that were presented again
	rejected int // requests to the API with a token that it does not accept
}

type issued struct {
	token   string
	expires time.Time
}

func newServer(t *testing.T, lenient bool, lifetime time.Duration, size int) *server {
	t.Helper()
	s := &server{lenient: lenient, lifetime: lifetime, size: size, seed: rand.Text()}
	s.refresh = s.seed
	s.Server = httptest.NewServer(http.HandlerFunc(s.serveToken))
	s.API = httptest.NewServer(http.HandlerFunc(s.serveAPI))
	t.Cleanup(func() {
		s.Close()
		s.API.Close()
		if s.spent > 0 {
			t.Errorf("%d spent refresh tokens were presented", s.spent)
		}
	})
	return s
}

func (s *server) serveToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if s.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.FormValue("refresh_token") != s.refresh {
		s.spent++
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	s.refresh = rand.Text()
	token := rand.Text() + strings.Repeat("x", max(0, s.size-26))
	s.access = append(s.access, issued{token, time.Now().Add(s.lifetime)})
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%v,"refresh_token":%q}`, token, s.lifetime.Seconds(), s.refresh)
}

// serveAPI echoes what it is sent with a token that it accepts. A path below /status is
// answered with that status.
func (s *server) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !s.accepts(r) {
		w.Header().Set("Www-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "the access token is not valid", http.StatusUnauthorized)
		return
	}
	status := http.StatusOK
	if _, err := fmt.Sscanf(r.URL.Path, "/status/%d", &status); err == nil {
		w.WriteHeader(status)
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
}

func (s *server) accepts(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	credentials := r.Header.Values("Authorization")
	for i := len(s.access) - 1; i >= 0 && len(credentials) == 1; i-- {
		if credentials[0] == "Bearer "+s.access[i].token {
			if (s.lenient || i == len(s.access)-1) && time.Now().Before(s.access[i].expires) {
				return true
			}
			break
		}
		if !s.lenient {
			break
		}
	}
	s.rejected++
	return false
}

// rotations is how many access tokens there were.
func (s *server) rotations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.access)
}

// kill ends every access token there is, as a log-in elsewhere does.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.access {
		s.access[i].expires = time.Now()
	}
}

// setAway lets no token request be answered.
func (s *server) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// site is a client, its server, and what its serve_token says.
type site struct {
	name     string
	server   *server
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
		rig.Write(t, dir, name+".seed", s.server.seed)
		overlap := "none"
		if s.server.lenient {
			overlap = "until_expiry"
		}
		fmt.Fprintf(&clients, "\toauth2_client %[1]s {\n\t\ttoken_endpoint %[2]s/token\n\t\tclient_id app\n\t\tclient_secret {file.secret}\n\t\trefresh_token {file.%[1]s.seed}\n\t\trotation required\n\t\trotation_overlap %[3]s\n\t\trefresh_window_ratio 1/2\n\t\tmin_refresh_interval 50ms\n%[4]s\n\t}\n",
			name, s.server.URL, overlap, s.settings)
		fmt.Fprintf(&blocks, "http:// {\n\tbind unix/%s|0660\n\tserve_token /erp* %s {\n%s\n\t}\n}\n", s.socket, name, s.block)
	}
	rig.Write(t, dir, "Caddyfile", "{\n\tgrace_period 5s\n"+clients.String()+"}\n"+blocks.String())
	p := rig.Start(t, dir, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	for _, s := range sites {
		rig.Eventually(t, s.name+" has a token", func() bool {
			if p.Ended() {
				t.Fatalf("lamplighter ended: %v", p.Err)
			}
			return s.server.rotations() > 0
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
	until := s.server.rotations() + rotations
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: rig.Patience}
	defer client.CloseIdleConnections()
	var made, failed atomic.Int64
	var all sync.WaitGroup
	for c := range connections {
		all.Go(func() {
			for n := 0; (s.server.rotations() < until || made.Load() < int64(least)) && t.Context().Err() == nil; n++ {
				why := call(client, s, c, n)
				made.Add(1)
				if why != "" && failed.Add(1) <= 5 {
					t.Errorf("%s: %s", s.name, why)
				}
			}
		})
	}
	all.Wait()
	rotations += s.server.rotations() - until
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	t.Logf("%s: %d requests over %d rotations, %d failed, %d rejected by the API", s.name, made.Load(), rotations, failed.Load(), s.server.rejected)
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
