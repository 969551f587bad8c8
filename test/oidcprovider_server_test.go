package test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lamplighter/test/internal/rig"
)

// metadata is how a client is registered (RFC 7591 section 2).
type metadata map[string]any

// oidcProvider is npm's oidc-provider in a process of its own, with an API that
// accepts its access tokens and answers with a token's number.
type oidcProvider struct {
	t      *testing.T
	Issuer string `json:"issuer"`
	API    string `json:"api"`
}

// oidcProviderStats is what happened at the provider's token endpoint.
type oidcProviderStats struct {
	Granted, Consumed, Revoked int
	Errors                     []string
}

// installOIDCProvider installs the locked packages into a directory of the test.
// Without Node.js the test is skipped.
func installOIDCProvider(t *testing.T) (dir string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		rig.Need(t, tool, "oidc-provider needs Node.js")
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "oidc-provider"))); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		rig.Skip(t, "oidc-provider cannot be installed: %v\n%s", err, out)
	}
	return dir
}

// startOIDCProvider starts a provider that was installed in a directory.
// Certificates make it serve https, and ask for those of clients.
func startOIDCProvider(t *testing.T, dir string, certificates map[string]string, clients ...metadata) *oidcProvider {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"lifetime": lifetime.Seconds(), "clients": clients, "tls": certificates,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "server.mjs")
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
			t.Logf("oidc-provider printed:\n%s", stderr)
		}
	})
	if _, err := input.Write(append(config, '\n')); err != nil {
		t.Fatal(err)
	}
	p := &oidcProvider{t: t}
	rig.Eventually(t, "oidc-provider listens", func() bool {
		select {
		case <-done:
			t.Fatal("oidc-provider ended")
		default:
		}
		line, _, whole := bytes.Cut([]byte(stdout.String()), []byte("\n"))
		return whole && json.Unmarshal(line, p) == nil
	})
	return p
}

// ask asks the provider's process something that only tests may.
func (p *oidcProvider) ask(path string) []byte {
	p.t.Helper()
	res, err := http.Get(p.API + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || len(body) == 0 {
		p.t.Fatalf("%s answered %d %s: %v", path, res.StatusCode, body, err)
	}
	return body
}

// mint returns a first refresh token, as if somebody had logged in.
func (p *oidcProvider) mint(clientID string) string {
	p.t.Helper()
	return string(p.ask("/_test/mint?client_id=" + url.QueryEscape(clientID)))
}

func (p *oidcProvider) stats() (stats oidcProviderStats) {
	p.t.Helper()
	if err := json.Unmarshal(p.ask("/_test/stats"), &stats); err != nil {
		p.t.Fatal(err)
	}
	return stats
}
