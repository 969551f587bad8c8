package client

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/caddytls"

	"lamplighter/module/inject"
	"lamplighter/module/settings"
)

func settingsOf(id string) *settings.Client {
	return &settings.Client{
		TokenEndpoint: "https://login.example.com/" + id, ClientID: id, ClientSecret: "secret of " + id, RefreshToken: "seed of " + id,
		DeclaredAt: "Caddyfile:" + id, Scope: []string{"orders.read"},
	}
}

func TestClientsThatDifferInTheirIdentityOnlyAreOfOneKind(t *testing.T) {
	ctx, all := caddy.Context{Context: t.Context()}, new(kinds)
	first, err := newClient(ctx, all, "first", settingsOf("first"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := newClient(ctx, all, "second", settingsOf("second"))
	if err != nil {
		t.Fatal(err)
	}
	if first.kind != second.kind {
		t.Error("they are of different kinds")
	}
	for name, c := range map[string]*Client{"first": first, "second": second} {
		want, err := settingsOf(name).Effective()
		if err != nil {
			t.Fatal(err)
		}
		want.DeclaredAt = ""
		if got := c.allSettings(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s has other settings: %+v", name, got)
		}
		req, err := c.server.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		if req.URL != want.TokenEndpoint || req.ClientID != name || req.ClientSecret != "secret of "+name {
			t.Errorf("%s would be asked for as %s at %s", name, req.ClientID, req.URL)
		}
		if seed, err := c.suppliedSeed(); err != nil || seed != "seed of "+name {
			t.Errorf("the seed of %s is %q, %v", name, seed, err)
		}
	}
}

func TestClientsOfOtherSettingsAreOfAnotherKind(t *testing.T) {
	ctx, all := caddy.Context{Context: t.Context()}, new(kinds)
	met := make(map[*kind]string)
	for name, edit := range map[string]func(*settings.Client){
		"as it is":         func(*settings.Client) {},
		"scope":            func(c *settings.Client) { c.Scope = []string{"orders.write"} },
		"param":            func(c *settings.Client) { c.Param = map[string][]string{"tenant": {"1"}} },
		"no refresh token": func(c *settings.Client) { c.RefreshToken = "" },
		"auth method":      func(c *settings.Client) { c.TokenEndpointAuthMethod = "client_secret_post" },
		"inject":           func(c *settings.Client) { c.Inject = []inject.Injection{{Name: "X-Token"}} },
	} {
		settings := settingsOf("api")
		edit(settings)
		c, err := newClient(ctx, all, "api", settings)
		if err != nil {
			t.Fatal(name, err)
		}
		if other, ok := met[c.kind]; ok {
			t.Errorf("%s and %s are of one kind", name, other)
		}
		met[c.kind] = name
	}
}

func TestAKindThatIsKnownDoesNotHideAnEndpointInTheClear(t *testing.T) {
	ctx, all := caddy.Context{Context: t.Context()}, new(kinds)
	if _, err := newClient(ctx, all, "api", settingsOf("api")); err != nil {
		t.Fatal(err)
	}
	settings := settingsOf("other")
	settings.TokenEndpoint = "http://login.example.com/token"
	if _, err := newClient(ctx, all, "other", settings); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("got %v, want an error about plain http", err)
	}
}

func TestKindsAreMetAgainWhateverTheirOrder(t *testing.T) {
	ctx, all := caddy.Context{Context: t.Context()}, new(kinds)
	settings := func(scope string) *settings.Client {
		c := settingsOf("api")
		c.Scope = []string{scope}
		return c
	}
	scopes := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	met := make(map[string]*kind)
	for round := range 3 {
		for i := range scopes {
			scope := scopes[(i*3+round)%len(scopes)]
			c, err := newClient(ctx, all, "api", settings(scope))
			if err != nil {
				t.Fatal(err)
			}
			if c.cfg.Scope[0] != scope || met[scope] != nil && met[scope] != c.kind {
				t.Fatalf("round %d: a client with scope %s is of another kind", round, scope)
			}
			met[scope] = c.kind
		}
	}
	if _, err := newClient(ctx, all, "api", settings("one more")); err != nil || len(all.recent) != recentKinds {
		t.Errorf("%d kinds are compared, want %d at most (%v)", len(all.recent), recentKinds, err)
	}
}

func TestClientsThatTrustOtherAuthoritiesAreOfAnotherKind(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	all := new(kinds)
	own, plain := settingsOf("own"), settingsOf("plain")
	own.TLS = &reverseproxy.TLSConfig{ServerName: "login", CARaw: json.RawMessage(`{"provider":"system"}`)}
	plain.TLS = &reverseproxy.TLSConfig{ServerName: "login"}
	first, err := newClient(ctx, all, "own", own)
	if err != nil {
		t.Fatal(err)
	}
	second, err := newClient(ctx, all, "plain", plain)
	if err != nil {
		t.Fatal(err)
	}
	if first.kind == second.kind {
		t.Error("one trusts the authorities of the other")
	}
}
