package readers

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// gitServer wants Basic authentication with a password that the demo's API accepts as a
// token.
type gitServer struct {
	api     string
	backend http.Handler
	served  atomic.Int64
}

func (g *gitServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	check, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.api+"/", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	check.Header.Set("Authorization", "Bearer "+password)
	res, err := http.DefaultClient.Do(check)
	if err != nil || res.StatusCode != http.StatusOK || user != "oauth2" {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = res.Body.Close()
	g.served.Add(1)
	r.Header.Del("Authorization")
	g.backend.ServeHTTP(w, r)
}

// TestGitClonesWithThePrintedToken runs Debian's git with the helper of the docs.
func TestGitClonesWithThePrintedToken(t *testing.T) {
	t.Parallel()
	git := rig.Need(t, "git", "install git")
	path, err := exec.Command(git, "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(path)), "git-http-backend")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(backend); err != nil {
		rig.Skip(t, "%v", err)
	}
	k := keep(t, "1h")
	root := t.TempDir()
	run(t, k, git, "init", "--quiet", "--bare", filepath.Join(root, "repo.git"))
	server := &gitServer{api: k.API, backend: &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}}}
	allowed, other := httptest.NewServer(server), httptest.NewServer(server)
	t.Cleanup(allowed.Close)
	t.Cleanup(other.Close)

	config := filepath.Join(k.home, "Caddyfile")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, k.home, "Caddyfile", strings.Replace(string(text), "allow_print", "allow "+allowed.URL+"\n\t\t\tallow_print", 1))
	if out, errs, code := rig.Command(t, k.home, "reload", "--config", "Caddyfile"); code != 0 {
		t.Fatal(out, errs)
	}
	helper := "credential.helper=!" + rig.Binary + " tokens print erp --format git"
	clone := func(url string) (string, error) {
		return tryRun(t, k, git, "-c", helper, "clone", "--quiet", url+"/repo.git", t.TempDir())
	}
	if out, err := clone(allowed.URL); err != nil || server.served.Load() == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	served := server.served.Load()
	if out, err := clone(other.URL); err == nil || server.served.Load() != served || !strings.Contains(out, "its token is not for") {
		t.Errorf("a token went to a server that allow does not name: %v: %s", err, out)
	}
}

func run(t *testing.T, k *keeping, program string, args ...string) {
	t.Helper()
	if out, err := tryRun(t, k, program, args...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// tryRun runs a program where the helper finds the sidecar.
func tryRun(t *testing.T, k *keeping, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(rig.Environment(k.home), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
