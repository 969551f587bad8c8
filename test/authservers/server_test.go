package authservers

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lamplighter/test/internal/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }

// The client as it is registered everywhere. Its secret has the characters that
// encoders get wrong.
const (
	clientID     = "erp"
	clientSecret = "s3+cr/e t=&%2B:and-more"
	redirectURI  = "http://127.0.0.1:9/callback"
	lifetime     = 3 // seconds
)

// server is an authorization server, and an API that accepts its living access
// tokens alone.
type server struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	API                   string `json:"api"`
	Origin                string `json:"origin"`

	// asks is the scope that brings a refresh token, "orders" where it is empty.
	asks string

	// way is a proxy before the token endpoint, which counts answers and can hold
	// one back.
	way *way
}

// run starts a server's program. It gets its configuration as a line of JSON, and
// prints where it listens as another one.
func run(t *testing.T, config map[string]any, dir, name string, args ...string) *server {
	t.Helper()
	all := map[string]any{
		"client_id": clientID, "client_secret": clientSecret, "redirect_uri": redirectURI, "lifetime": lifetime,
	}
	maps.Copy(all, config)
	line, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	stdout, stderr := new(rig.Output), new(rig.Output)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			t.Logf("the server printed:\n%s", stderr)
		}
	})
	if _, err := input.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	s := new(server)
	rig.Eventually(t, "the server listens", func() bool {
		select {
		case <-done:
			t.Fatalf("the server ended:\n%s", stderr)
		default:
		}
		first, _, whole := strings.Cut(stdout.String(), "\n")
		return whole && json.Unmarshal([]byte(first), s) == nil
	})
	s.way = newWay(t, s.TokenEndpoint)
	return s
}

func (s *server) scope() string { return cmp.Or(s.asks, "orders") }

// browser keeps cookies, without which some servers forget who logs in.
func browser() *http.Client {
	jar, _ := cookiejar.New(nil) // which never fails
	return &http.Client{Jar: jar}
}

// login does what a browser and an application do, and returns the refresh token.
func (s *server) login(t *testing.T) string {
	t.Helper()
	authorize := s.AuthorizationEndpoint + "?" + url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {s.scope()}, "state": {"at-least-8-characters"},
	}.Encode()
	client := browser()
	client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), redirectURI) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := client.Get(authorize)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	back, err := url.Parse(res.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("the authorization endpoint answered %d %s %s", res.StatusCode, res.Header.Get("Location"), body)
	}
	req, err := http.NewRequest(http.MethodPost, s.TokenEndpoint, strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirectURI},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	id, secret := clientID, clientSecret
	if s.Issuer != "" || strings.HasPrefix(s.TokenEndpoint, s.Origin+"/fosite") { // those that decode as RFC 6749 says
		id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	}
	req.SetBasicAuth(id, secret)
	res, err = client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	body, _ = io.ReadAll(res.Body)
	if json.Unmarshal(body, &answer) != nil || answer.RefreshToken == "" {
		t.Fatalf("the token endpoint answered %d %s", res.StatusCode, body)
	}
	return answer.RefreshToken
}

// revoke ends all grants at the server.
func (s *server) revoke(t *testing.T) {
	t.Helper()
	res, err := http.Get(s.Origin + "/_test/revoke")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("revoking: %v, %v", res, err)
	}
	res.Body.Close()
}

// way is a proxy before a token endpoint.
type way struct {
	address string

	mu      sync.Mutex
	granted int
	hold    chan struct{} // not nil: an answer waits for it
	holding bool
}

func newWay(t *testing.T, endpoint string) *way {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w := new(way)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Host = to.Host
		},
		ModifyResponse: func(res *http.Response) error {
			w.mu.Lock()
			hold := w.hold
			if res.StatusCode == http.StatusOK {
				w.granted++
			}
			w.holding = hold != nil
			w.mu.Unlock()
			if hold != nil {
				<-hold
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(func() {
		w.release()
		front.CloseClientConnections()
		front.Close()
	})
	w.address = front.URL + to.Path
	return w
}

func (w *way) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.granted
}

// holdNext lets the server act on the next request, and its answer wait.
func (w *way) holdNext() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold, w.holding = make(chan struct{}), false
}

func (w *way) isHolding() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.holding
}

func (w *way) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hold != nil {
		close(w.hold)
		w.hold = nil
	}
}

// python is Debian's, which has Debian's packages.
func python(t *testing.T, module, debianPackage string) string {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if out, err := exec.Command(interpreter, "-c", "import "+module).CombinedOutput(); err != nil {
		rig.Skip(t, "no %s here (Debian's %s): %v %s", module, debianPackage, err, out)
	}
	return interpreter
}

// npmInstall installs the locked packages of a folder into one of the test.
func npmInstall(t *testing.T, folder string) (dir string) {
	t.Helper()
	rig.Need(t, "node", "install Node.js")
	rig.Need(t, "npm", "install Node.js")
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", folder))); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		rig.Skip(t, "its packages cannot be installed: %v\n%s", err, out)
	}
	return dir
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
