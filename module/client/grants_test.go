package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/moduletest"
)

func TestPrivateKeyJWTObtainsATokenAndRereadsItsKey(t *testing.T) {
	keys := make([]*ecdsa.PrivateKey, 2)
	for i := range keys {
		keys[i], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	var s *moduletest.Granting
	s = moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		signed, err := jose.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		for i, key := range keys {
			if payload, err := signed.Verify(key.Public()); err == nil && strings.Contains(string(payload), `"aud":"`+s.Tokens.URL+`/token"`) {
				moduletest.Granted(w, fmt.Sprint("signed-by-", i))
				return
			}
		}
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
	})
	sc := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	writeKey := func(key *ecdsa.PrivateKey) {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		moduletest.Write(t, sc, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	writeKey(keys[0])
	config := s.Caddyfile(sc, `token_endpoint `+s.Tokens.URL+`/token
		token_endpoint_auth_method private_key_jwt
		client_id app
		min_refresh_interval 10ms
		private_key {file.`+sc.Dir+`/key.pem}`, "")
	sc.Load(config)
	if res, body := sc.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer signed-by-0|") {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	writeKey(keys[1])
	sc.Load(strings.Replace(config, "min_refresh", "scope another\n\t\tmin_refresh", 1)) // asks for another token
	moduletest.Eventually(t, "a token signed for with the new key", func() bool {
		_, body := sc.Do("GET", "/", "")
		return strings.HasPrefix(body, "Bearer signed-by-1|")
	})
}

func TestEndpointsAreDiscoveredFromTheIssuer(t *testing.T) {
	for name, path := range map[string]string{
		"OAuth 2.0":      "/.well-known/oauth-authorization-server/tenant",
		"OpenID Connect": "/tenant/.well-known/openid-configuration",
	} {
		t.Run(name, func(t *testing.T) {
			var s *moduletest.Granting
			s = moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case path:
					fmt.Fprintf(w, `{"issuer":"%[1]s/tenant","token_endpoint":"%[1]s/tenant/token"}`, s.Tokens.URL)
				case "/tenant/token":
					moduletest.Granted(w, "discovered")
				default:
					http.NotFound(w, r)
				}
			})
			sc := s.Serving(t, "issuer "+s.Tokens.URL+"/tenant\nclient_id app\nclient_secret literal", "")
			for range 3 {
				if res, body := sc.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer discovered|") {
					t.Fatalf("got %d %s", res.StatusCode, body)
				}
			}
		})
	}
}

func TestMetadataOfAnotherIssuerIsNotBelieved(t *testing.T) {
	var s *moduletest.Granting
	s = moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":"https://evil.example.com","token_endpoint":"%s/token"}`, s.Tokens.URL)
	})
	sc := s.Serving(t, "issuer "+s.Tokens.URL+"\nclient_id app\nclient_secret literal\nwait 200ms", "")
	var body string
	moduletest.Eventually(t, "the reason", func() bool {
		_, body = sc.Do("GET", "/", "")
		return strings.Contains(body, "issuer_mismatch")
	})
	if !strings.Contains(body, "names the issuer") || len(s.Requests()) != 0 {
		t.Errorf("%s, %d token requests", body, len(s.Requests()))
	}
}

func TestTheOtherClientSecretIsTriedWhenTheServerRefusesOne(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.PostForm.Get("client_secret") != "new-secret" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		moduletest.Granted(w, "token")
	})
	sc := s.Serving(t, "token_endpoint "+s.Tokens.URL+"/token\ntoken_endpoint_auth_method client_secret_post\nclient_id app\nclient_secret old-secret\nclient_secret new-secret", "")
	if res, body := sc.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d token requests", n)
	}
}

func TestOneClientsTokenGoesIntoAnothersTokenRequest(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/platform" {
			moduletest.Granted(w, "platform-token")
			return
		}
		if r.Header.Get("X-Platform") != "Bearer platform-token" || r.PostForm.Get("ticket") != "platform-token" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		moduletest.Granted(w, "shop-token")
	})
	sc := s.Serving(t, `token_endpoint `+s.Tokens.URL+`/shop
			client_id shop
			token_endpoint_auth_method none
			header X-Platform "Bearer {oauth2_client.platform.access_token}"
			param ticket {oauth2_client.platform.access_token}`, `oauth2_client platform {
		token_endpoint `+s.Tokens.URL+`/platform
		client_id platform
		client_secret literal
	}`)
	if res, body := sc.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer shop-token|") {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d token requests", n)
	}
}

func TestClientsThatNeedEachOthersTokensAreRefused(t *testing.T) {
	const circle = `oauth2_client a {
		token_endpoint https://as.example.com/a
		client_id a
		client_secret literal
		header X-Token {oauth2_client.b.access_token}
	}
	oauth2_client b {
		token_endpoint https://as.example.com/b
		client_id b
		client_secret literal
		header X-Token {oauth2_client.%s.access_token}
	}`
	for other, want := range map[string]string{"a": "→", "nobody": "no global option declares client nobody"} {
		s := moduletest.NewGranting(t, nil)
		sc := moduletest.NewSidecar(t, moduletest.NewRotating(t))
		var cfg caddy.Config
		if err := json.Unmarshal(moduletest.Adapt(t, s.Caddyfile(sc, "token_endpoint https://as.example.com/\nclient_id x\nclient_secret literal", fmt.Sprintf(circle, other))), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

func TestEachCallersTokenIsExchanged(t *testing.T) {
	for name, place := range map[string]struct{ setting, header, prefix string }{
		"Authorization":         {"{http.request.header.Authorization}", "Authorization", "Bearer "},
		"the short placeholder": {"{header.Authorization}", "Authorization", "Bearer "},
		"a header of its own":   {"{http.request.header.X-User-Token}", "X-User-Token", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewGranting(t, moduletest.Exchanging)
			sc := s.Serving(t, "token_endpoint "+s.Tokens.URL+"/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token "+place.setting, "")
			for range 3 {
				for _, user := range []string{"user-erika", "user-max"} {
					res, body := sc.Do("GET", "/", "", place.header, place.prefix+user)
					if res.StatusCode != 200 || body != "Bearer for-"+user+"||" {
						t.Fatalf("got %d %s", res.StatusCode, body)
					}
				}
			}
			if n := len(s.Requests()); n != 2 {
				t.Errorf("%d token requests", n)
			}

			res, body := sc.Do("GET", "/", "", place.header, place.prefix+"stolen")
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` || !strings.Contains(body, `"remedy"`) || strings.Contains(body, "stolen") {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
			res, body = sc.Do("GET", "/", "")
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(body, "no_subject_token") {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
		})
	}
}

func TestCallersTokensSurviveAReload(t *testing.T) {
	s := moduletest.NewGranting(t, moduletest.Exchanging)
	settings := "token_endpoint " + s.Tokens.URL + "/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token {http.request.header.Authorization}"
	sc := s.Serving(t, settings, "")
	for i := range 5 {
		if res, body := sc.Do("GET", "/", "", "Authorization", "Bearer user-erika"); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		sc.Load(s.Caddyfile(sc, settings, fmt.Sprintf("grace_period %ds", i+1)))
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

func TestATokenExchangeThatIsDownIsA503(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	sc := s.Serving(t, "token_endpoint "+s.Tokens.URL+"/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token {http.request.header.Authorization}", "")
	res, body := sc.Do("GET", "/", "", "Authorization", "Bearer user-erika")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "server_error") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestEachRoutesScopeHasATokenOfItsOwn(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		moduletest.Granted(w, "for-"+strings.ReplaceAll(r.PostForm.Get("scope"), " ", "+")+"-"+r.PostForm.Get("audience"))
	})
	sc := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	_, port, _ := strings.Cut(sc.Address, ":")
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	log {
		output file %[1]s
	}
	oauth2_client api {
		token_endpoint %[2]s/token
		client_id app
		client_secret literal
		scope usual
	}
}
http://:%[3]s {
	bind 127.0.0.1
	upstream_oauth /orders %[4]s {
		client api
		scope orders.read orders.write
	}
	upstream_oauth /again %[4]s {
		client api
		scope orders.read orders.write
	}
	handle /billing {
		reverse_proxy %[4]s {
			transport oauth2 api {
				audience billing
				dial_timeout 2s
			}
		}
	}
	upstream_oauth %[4]s {
		client api
	}
}`, sc.Log, s.Tokens.URL, port, s.API.URL)
	sc.Load(config)
	for path, want := range map[string]string{
		"/": "Bearer for-usual-|", "/orders": "Bearer for-orders.read+orders.write-|", "/again": "Bearer for-orders.read+orders.write-|", "/billing": "Bearer for-usual-billing|",
	} {
		if res, body := sc.Do("GET", path, ""); res.StatusCode != 200 || !strings.HasPrefix(body, want) {
			t.Errorf("%s: got %d %s, want %s", path, res.StatusCode, body, want)
		}
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d token requests", n)
	}
}

func TestARotatingGrantHasOneScopeForAllRoutes(t *testing.T) {
	as := moduletest.NewRotating(t)
	sc := moduletest.NewSidecar(t, as)
	for what, want := range map[string]string{"in place": "belong into its own settings", "rotating": "declare another client"} {
		config := sc.Config("", "scope orders")
		if what == "rotating" {
			from, to := strings.Index(config, "client erp {"), strings.LastIndex(config, "scope orders")
			block := strings.TrimSpace(config[from:to])
			config = strings.Replace(config, block, "client erp", 1)
			config = strings.Replace(config, "admin off", "admin off\n"+strings.Replace(block, "client erp {", "oauth2_client erp {", 1), 1)
		}
		var cfg caddy.Config
		if err := json.Unmarshal(moduletest.Adapt(t, config), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want it to say %q", what, err, want)
		}
	}
}
