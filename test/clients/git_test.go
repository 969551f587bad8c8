package clients

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestGit pushes to and clones from a Git server over its smart protocol: packs
// larger than http.postBuffer go out in chunks, and long requests compressed.
func TestGit(t *testing.T) {
	t.Parallel()
	git := rig.Need(t, "git", "install git")
	backend := filepath.Join(strings.TrimSpace(run(t, git, "--exec-path")), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		rig.Skip(t, "%v", err)
	}
	var sites []*site
	var servers []*gitServer
	for _, c := range []struct {
		kind
		overlap string
	}{{kinds[0], "none"}, {kind{"https", startTLS}, "until_expiry"}} {
		is := newIssuer(t, c.overlap != "none")
		root := t.TempDir()
		repository(t, git, filepath.Join(root, "repo.git"))
		server := &gitServer{Handler: cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}}}
		servers = append(servers, server)
		upstream, block := c.start(t, is.protect(server))
		sites = append(sites, &site{name: c.name + ", overlap " + c.overlap, upstream: upstream, block: block, issuer: is, overlap: c.overlap})
	}
	runSites(t, sites...)
	for i, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rounds, done := 0, rotated(s)
			for !done() {
				pushAndClone(t, git, s.URL("/repo.git"), rounds)
				rounds++
			}
			compressed, chunked := servers[i].compressed.Load(), servers[i].chunked.Load()
			if compressed == 0 || chunked == 0 {
				t.Errorf("%d requests were compressed, %d chunked", compressed, chunked)
			}
			t.Logf("%d times cloned, pushed and cloned again, %d requests compressed, %d chunked\n%s", rounds, compressed, chunked, rejections(s))
		})
	}
}

// branches are so many that a client has to name them in a request that it
// compresses.
const branches = 60

// repository makes one with a commit in each of its branches.
func repository(t *testing.T, git, path string) {
	t.Helper()
	mustRun(t, git, "init", "--quiet", "--bare", "--initial-branch=main", path)
	mustRun(t, git, "-C", path, "config", "http.receivepack", "true")
	tree := mustRun(t, git, "-C", path, "hash-object", "-t", "tree", "-w", "/dev/null")
	for i := range branches {
		commit := mustRun(t, git, "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", path, "commit-tree", "-m", fmt.Sprint(i), tree)
		name := fmt.Sprintf("refs/heads/branch-%d", i)
		if i == 0 {
			name = "refs/heads/main"
		}
		mustRun(t, git, "-C", path, "update-ref", name, commit)
	}
}

// gitServer is Git's own, and counts the requests that are compressed or chunked.
type gitServer struct {
	cgi.Handler
	compressed, chunked atomic.Int64
}

func (g *gitServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		g.compressed.Add(1)
	}
	if r.ContentLength < 0 {
		g.chunked.Add(1)
	}
	r.TransferEncoding = nil // which net/http/cgi refuses, while git reads to the end
	g.Handler.ServeHTTP(w, r)
}

// pushAndClone clones a repository, pushes a large commit and clones that.
func pushAndClone(t *testing.T, git, url string, round int) {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	version := fmt.Sprintf("protocol.version=%d", 2*(round%2))
	mustRun(t, git, "-c", version, "clone", "--quiet", url, clone)
	large := make([]byte, 1<<20)
	_, _ = rand.Read(large)
	if err := os.WriteFile(filepath.Join(clone, "large"), large, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, git, "-C", clone, "add", "large")
	mustRun(t, git, "-C", clone, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "large")
	mustRun(t, git, "-C", clone, "-c", version, "-c", "http.postBuffer=65536", "push", "--quiet", "origin", "HEAD:main")
	again := filepath.Join(t.TempDir(), "again")
	mustRun(t, git, "-c", version, "clone", "--quiet", "--depth", "1", url, again)
	if got, err := os.ReadFile(filepath.Join(again, "large")); err != nil || string(got) != string(large) {
		t.Fatalf("round %d: what was cloned is not what was pushed: %d bytes, %v", round, len(got), err)
	}
}

func mustRun(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return strings.TrimSpace(string(out))
}
