package clients

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestCurl calls every kind of upstream with curl, which offers h2c if it is told
// to speak HTTP/2, and asks before it sends a large body. Fault D9.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := rig.Need(t, "curl", "install curl")
	body := filepath.Join(t.TempDir(), "body")
	content := []byte(rand.Text() + strings.Repeat("a line of an upload\n", 3000))
	if err := os.WriteFile(body, content, 0o600); err != nil {
		t.Fatal(err)
	}
	digest := digestOf(string(content))
	sites := everyKind(t, newAPI())
	runSites(t, sites...)

	calls := []struct {
		path, want string
		args       []string
	}{
		{"/hello", "hello", nil},
		{"/hello", "hello", []string{"--http2"}},
		{"/hello", "hello", []string{"--http1.0"}},
		{"/hello", "hello", []string{"--http2-prior-knowledge"}},
		{"/digest", digest, []string{"--http2-prior-knowledge", "--data-binary", "@" + body}},
		{"/digest", digest, []string{"--data-binary", "@" + body}},
		{"/digest", digest, []string{"--http2", "--data-binary", "@" + body}},
		{"/digest", digest, []string{"--http1.1", "--data-binary", "@" + body, "--header", "Expect: 100-continue"}},
		{"/digest", digest, []string{"--http2", "--upload-file", body, "--request", "POST", "--header", "Transfer-Encoding: chunked"}},
	}
	var made atomic.Int64
	var callers sync.WaitGroup
	done := rotated(sites...)
	for _, s := range sites {
		callers.Go(func() {
			for i := 0; i < len(calls) || !done(); i++ {
				call := calls[i%len(calls)]
				args := append([]string{"--silent", "--show-error", "--max-time", "60", "--write-out", " %{http_code}", s.URL(call.path)}, call.args...)
				if out := run(t, curl, args...); out != call.want+" 200" {
					t.Errorf("%s, after %d calls: curl %s: %s", s.name, made.Load(), strings.Join(call.args, " "), out)
					return
				}
				made.Add(1)
			}
		})
	}
	callers.Wait()
	t.Logf("%d calls\n%s", made.Load(), rejections(sites...))
}

// run runs a program and returns what it printed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s\n%v", out, err)
	}
	return string(out)
}
