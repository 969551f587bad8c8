package test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"lamplighter/test/internal/rig"
)

// awkward has every character that some encoder gets wrong.
const awkward = "s+e/c=r&e%t é+%2B"

// lifetime is that of access tokens. The provider announces whole seconds,
// rounded down.
const lifetime = 4 * time.Second

// TestRefreshTokenGrant lets a rotating grant live through rotations and a
// crash, at a real authorization server.
func TestRefreshTokenGrant(t *testing.T) {
	tests := map[string]struct {
		method   oidc.AuthMethod
		settings string
		check    func(t *testing.T, c *registration, r tokenRequest)
	}{
		"client_secret_basic": {oidc.AuthMethodBasic, "token_endpoint_auth_method client_secret_basic", isBasic},
		"client_secret_post":  {oidc.AuthMethodPost, "token_endpoint_auth_method client_secret_post", isPost},
		"default is basic":    {oidc.AuthMethodBasic, "", isBasic},
		"query":               {oidc.AuthMethodPost, "token_endpoint_auth_method client_secret_post\nparams_in query", isQuery},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &registration{
				id: "erp:side car", secret: awkward, method: tt.method,
				grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
			}
			server := newAuthServer(t, lifetime, client)
			api := newAPI(t, server)
			dir, address := rig.Home(t), rig.FreeAddress(t)
			rig.Write(t, dir, "secret", client.secret+"\n")
			rig.Write(t, dir, "seed", server.login()+"\n")
			rig.Write(t, dir, "Caddyfile", rig.Config(t, address, api.URL, fmt.Sprintf(`
				token_endpoint %s
				client_id "%s"
				client_secret {file.secret}
				refresh_token {file.seed}
				rotation required
				rotation_overlap none
				%s`, server.tokenEndpoint(), client.id, tt.settings)))

			s := rig.RunSidecar(t, dir, address)
			last := callThrough(t, s, number(t, rig.Get(t, s.Address, "/orders"))+3)

			s.Kill()
			s = rig.RunSidecar(t, dir, address)
			if again := number(t, rig.Get(t, s.Address, "/orders")); again < last {
				t.Errorf("after the restart a call carried token %d, older than %d", again, last)
			}
			callThrough(t, s, last+2)
			if err := s.End(rig.Terminate); err != nil {
				t.Errorf("it ended with %v", err)
			}

			issued, replays := server.seen()
			if replays != 0 {
				t.Errorf("%d spent refresh tokens were presented", replays)
			}
			requests := server.recordedRequests()[1:] // the first is the login's
			if len(requests) != issued-1 {
				t.Errorf("%d token requests yielded %d tokens", len(requests), issued-1)
			}
			for _, r := range requests {
				tt.check(t, client, r)
			}
			checkRecord(t, dir)
		})
	}
}

// TestClientCredentialsGrant has no rotating grant, only tokens that expire.
func TestClientCredentialsGrant(t *testing.T) {
	tests := map[string]struct {
		method oidc.AuthMethod
		check  func(t *testing.T, c *registration, r tokenRequest)
	}{
		"client_secret_basic": {oidc.AuthMethodBasic, isBasic},
		"client_secret_post":  {oidc.AuthMethodPost, isPost},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &registration{
				id: "erp sidecar", secret: awkward, method: tt.method,
				grants: []oidc.GrantType{oidc.GrantTypeClientCredentials},
			}
			server := newAuthServer(t, lifetime, client)
			api := newAPI(t, server)
			dir, address := rig.Home(t), rig.FreeAddress(t)
			rig.Write(t, dir, "secret", client.secret)
			rig.Write(t, dir, "Caddyfile", rig.Config(t, address, api.URL, fmt.Sprintf(`
				token_endpoint %s
				token_endpoint_auth_method %s
				client_id "%s"
				client_secret {file.secret}
				scope orders.read orders.write`, server.tokenEndpoint(), name, client.id)))

			s := rig.RunSidecar(t, dir, address)
			last := callThrough(t, s, number(t, rig.Get(t, s.Address, "/orders"))+3)
			s.Kill()
			s = rig.RunSidecar(t, dir, address)
			callThrough(t, s, last+2)
			if err := s.End(rig.Terminate); err != nil {
				t.Errorf("it ended with %v", err)
			}
			for _, r := range server.recordedRequests() {
				tt.check(t, client, r)
				if scope := r.form.Get("scope"); scope != "orders.read orders.write" {
					t.Errorf("scope %q was asked for", scope)
				}
			}
		})
	}
}

// callThrough calls the API through the sidecar until a token has that number,
// and returns its number. Every single call must succeed, with a token that is
// never older than the one before.
func callThrough(t *testing.T, s *rig.Sidecar, until int) int {
	t.Helper()
	last := 0
	rig.Eventually(t, fmt.Sprintf("a call carries token %d", until), func() bool {
		n := number(t, rig.Get(t, s.Address, "/orders"))
		if n < last {
			t.Fatalf("a call carried token %d after one with %d", n, last)
		}
		last = n
		return n >= until
	})
	return last
}

func isBasic(t *testing.T, c *registration, r tokenRequest) {
	t.Helper()
	if r.basicUser != url.QueryEscape(c.id) || r.basicPassword != url.QueryEscape(c.secret) {
		t.Errorf("basic authentication was not form-encoded: %q, %q", r.basicUser, r.basicPassword)
	}
	if r.form.Has("client_id") || r.form.Has("client_secret") || r.query != "" {
		t.Error("credentials were sent twice")
	}
	isFormPost(t, r)
}

func isPost(t *testing.T, c *registration, r tokenRequest) {
	t.Helper()
	if r.form.Get("client_id") != c.id || r.form.Get("client_secret") != c.secret {
		t.Errorf("client %q with secret %q was sent", r.form.Get("client_id"), r.form.Get("client_secret"))
	}
	if r.basic || r.query != "" {
		t.Error("credentials were sent twice")
	}
	isFormPost(t, r)
}

func isFormPost(t *testing.T, r tokenRequest) {
	t.Helper()
	if r.method != http.MethodPost || r.contentType != "application/x-www-form-urlencoded" {
		t.Errorf("a token request was a %s of %q", r.method, r.contentType)
	}
}

func isQuery(t *testing.T, c *registration, r tokenRequest) {
	t.Helper()
	query, err := url.ParseQuery(r.query)
	if err != nil {
		t.Fatal(err)
	}
	if query.Get("client_id") != c.id || query.Get("client_secret") != c.secret {
		t.Errorf("client %q with secret %q was sent", query.Get("client_id"), query.Get("client_secret"))
	}
	if r.basic || len(r.form) != 0 {
		t.Error("credentials were sent twice")
	}
}

// checkRecord makes sure that nobody else can read the record, and that there is
// one.
func checkRecord(t *testing.T, home string) {
	t.Helper()
	files := 0
	dir := filepath.Join(home, "data", "caddy", "oauth2_client")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if info.Mode().IsRegular() {
			files++
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d records in %s: %v", files, dir, err)
	}
}
