package authservers

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// boundTo is how a client that proves a key is registered, what it calls, and by which
// version of HTTP.
type boundTo struct {
	public   bool // without a secret or signature, so that its refresh token is bound, too
	userinfo bool // of the authorization server is what it calls, with opaque tokens
	settings string
	version  string
	protocol string // as the server names it
}

func (b *boundTo) resource() string {
	if b.userinfo {
		return ""
	}
	return fapiResource
}

// startProving starts a server that wants a nonce in each proof.
func (b *boundTo) start(t *testing.T) (s *fapi, home, address string) {
	t.Helper()
	key := newECKey(t)
	client := signingClient(key)
	client["scope"], client["dpop_bound_access_tokens"] = "orders", true
	authentication := "token_endpoint_auth_method private_key_jwt\n\t\t\tprivate_key {file.key.pem}\n\t\t\tkey_id 1"
	if b.public {
		client["token_endpoint_auth_method"] = "none"
		delete(client, "jwks")
		delete(client, "token_endpoint_auth_signing_alg")
		authentication = "token_endpoint_auth_method none"
	}
	asks := "scope orders\n\t\t\tresource " + fapiResource
	if b.userinfo {
		client["scope"], asks = "openid", "scope openid"
	}
	s = startProvider(t, "dpop.mjs", client, b.resource())
	upstream := s.API
	if b.userinfo {
		upstream = s.Issuer
	}
	home, address = rig.Home(t), rig.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	rig.Write(t, home, "ca.pem", s.ca)
	rig.Write(t, home, "key.pem", pemKey(t, key))
	rig.Write(t, home, "Caddyfile", fmt.Sprintf(`{
	grace_period 5s
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client erp {
			issuer %s
			client_id %s
			%s
			grant_type refresh_token
			rotation required
			%s
			tls {
				trust_pool file ca.pem
			}
			%s
		}
		transport http {
			tls_trust_pool file ca.pem
			versions %s
		}
	}
}
`, port, upstream, s.Issuer, clientID, authentication, asks, cmp.Or(b.settings, "dpop"), b.version))
	return s, home, address
}

// call sends one request, with a body in it if post is true.
func (b *boundTo) call(address string, post bool) error {
	to := "http://" + address + "/orders/a%2Fb?page=2"
	if b.userinfo {
		to = "http://" + address + "/me"
	}
	var res *http.Response
	var err error
	if post {
		res, err = http.Post(to, "text/plain", strings.NewReader(strings.Repeat("a body ", 1000)))
	} else {
		res, err = http.Get(to)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || err != nil {
		return fmt.Errorf("%d %s %w", res.StatusCode, body, err)
	}
	return nil
}

// load calls the upstream until more rotations have happened.
func (b *boundTo) load(t *testing.T, s *fapi, address string, rotations int) (calls int64) {
	t.Helper()
	var made atomic.Int64
	var over atomic.Bool
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for !over.Load() {
				if err := b.call(address, caller == 0 && !b.userinfo); err != nil {
					t.Errorf("after %d calls: %v", made.Load(), err)
					return
				}
				made.Add(1)
			}
		})
	}
	before := s.stats().Granted
	rig.Eventually(t, "rotations", func() bool { return t.Failed() || s.stats().Granted >= before+rotations })
	over.Store(true)
	callers.Wait()
	return made.Load()
}

// TestDPoP lets the binary live with a server that wants proofs with nonces of its own and
// remembers each, and with APIs that do: a log-in whose code is bound to the key, rotations under load
// over connections that end without an answer, reloads and restarts.
func TestDPoP(t *testing.T) {
	for name, b := range map[string]boundTo{
		"HTTP/1.1":                    {version: "1.1", protocol: "1.1"},
		"HTTP/2":                      {version: "2", protocol: "2.0"},
		"a public client, EdDSA":      {version: "1.1 2", protocol: "2.0", public: true, settings: "dpop {\n\t\t\t\talg EdDSA\n\t\t\t}"},
		"the provider's own userinfo": {version: "1.1", protocol: "1.1", userinfo: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, home, address := b.start(t)
			c := &sidecar{rig.RunSidecar(t, home, address), home}
			c.wantState(t, "awaiting_grant", "no_refresh_token")
			s.logIn(home)
			calls := int64(0)
			for range 2 { // lives of the process
				calls += b.load(t, s, address, 2)
				if out, errs, code := rig.Command(t, home, "reload", "--config", "Caddyfile"); code != 0 {
					t.Fatalf("reload: %d %s %s", code, out, errs)
				}
				calls += b.load(t, s, address, 2)
				c.wantState(t, "ok", "")
				if err := c.End(rig.Terminate); err != nil {
					t.Errorf("it ended with %v", err)
				}
				c = &sidecar{rig.RunSidecar(t, home, address), home}
			}
			calls += b.load(t, s, address, 1)
			c.wantState(t, "ok", "")
			stats := s.stats()
			t.Logf("%d calls; %+v", calls, stats)
			if stats.Repeated != 0 || stats.Refused != 0 || len(stats.Errors) != 0 || stats.Keys != 1 || stats.Pushed != 1 || stats.PushedProven != 1 {
				t.Errorf("%+v", stats)
			}
			if int64(stats.Proofs) < calls || stats.Broken == 0 || stats.Nonces == 0 || stats.Protocols[b.protocol] == 0 || len(stats.Protocols) != 1 {
				t.Errorf("that shows nothing: %d calls, %+v", calls, stats)
			}
		})
	}
}
