package module_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"
)

// granting is an authorization server that answers as a test says, and an API
// that shows what reached it.
type granting struct {
	tokens, api *httptest.Server

	mu    sync.Mutex
	asked []url.Values // token requests
	paths []string     // of all requests to the authorization server
}

func newGranting(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *granting {
	s := new(granting)
	s.tokens = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.paths = append(s.paths, r.URL.Path)
		if r.Method == http.MethodPost {
			s.asked = append(s.asked, r.PostForm)
		}
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	s.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s", strings.Join(r.Header.Values("Authorization"), "+"), r.Header.Get("X-User-Token"), r.Header.Get("X-Shop-Token"))
	}))
	t.Cleanup(s.tokens.Close)
	t.Cleanup(s.api.Close)
	return s
}

func (s *granting) requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.asked...)
}

func granted(w http.ResponseWriter, token string) {
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

// serving runs a site that calls the API with a client of these settings, beside
// those of global clients.
func (s *granting) serving(t *testing.T, settings, global string) *sidecar {
	sc := newSidecar(t, newRotating(t))
	sc.load(s.caddyfile(sc, settings, global))
	return sc
}

func (s *granting) caddyfile(sc *sidecar, settings, global string) string {
	_, port, _ := strings.Cut(sc.address, ":")
	return fmt.Sprintf(`{
	admin off
	persist_config off
	log {
		output file %s
	}
	%s
}
http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client api {
			%s
		}
	}
}`, sc.log, global, port, s.api.URL, settings)
}

func TestPrivateKeyJWTObtainsATokenAndRereadsItsKey(t *testing.T) {
	keys := make([]*ecdsa.PrivateKey, 2)
	for i := range keys {
		keys[i], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	var s *granting
	s = newGranting(t, func(w http.ResponseWriter, r *http.Request) {
		signed, err := jose.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		for i, key := range keys {
			if payload, err := signed.Verify(key.Public()); err == nil && strings.Contains(string(payload), `"aud":"`+s.tokens.URL+`/token"`) {
				granted(w, fmt.Sprint("signed-by-", i))
				return
			}
		}
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
	})
	sc := newSidecar(t, newRotating(t))
	writeKey := func(key *ecdsa.PrivateKey) {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, sc, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	writeKey(keys[0])
	config := s.caddyfile(sc, `token_endpoint `+s.tokens.URL+`/token
		token_endpoint_auth_method private_key_jwt
		client_id app
		min_refresh_interval 10ms
		private_key {file.`+sc.dir+`/key.pem}`, "")
	sc.load(config)
	if res, body := sc.do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer signed-by-0|") {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	writeKey(keys[1])
	sc.load(strings.Replace(config, "min_refresh", "scope another\n\t\tmin_refresh", 1)) // asks for another token
	eventually(t, "a token signed for with the new key", func() bool {
		_, body := sc.do("GET", "/", "")
		return strings.HasPrefix(body, "Bearer signed-by-1|")
	})
}

func TestEndpointsAreDiscoveredFromTheIssuer(t *testing.T) {
	for name, path := range map[string]string{
		"OAuth 2.0":      "/.well-known/oauth-authorization-server/tenant",
		"OpenID Connect": "/tenant/.well-known/openid-configuration",
	} {
		t.Run(name, func(t *testing.T) {
			var s *granting
			s = newGranting(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case path:
					fmt.Fprintf(w, `{"issuer":"%[1]s/tenant","token_endpoint":"%[1]s/tenant/token"}`, s.tokens.URL)
				case "/tenant/token":
					granted(w, "discovered")
				default:
					http.NotFound(w, r)
				}
			})
			sc := s.serving(t, "issuer "+s.tokens.URL+"/tenant\nclient_id app\nclient_secret literal", "")
			for range 3 {
				if res, body := sc.do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer discovered|") {
					t.Fatalf("got %d %s", res.StatusCode, body)
				}
			}
		})
	}
}

func TestMetadataOfAnotherIssuerIsNotBelieved(t *testing.T) {
	var s *granting
	s = newGranting(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":"https://evil.example.com","token_endpoint":"%s/token"}`, s.tokens.URL)
	})
	sc := s.serving(t, "issuer "+s.tokens.URL+"\nclient_id app\nclient_secret literal\nwait 200ms", "")
	var body string
	eventually(t, "the reason", func() bool {
		_, body = sc.do("GET", "/", "")
		return strings.Contains(body, "issuer_mismatch")
	})
	if !strings.Contains(body, "names the issuer") || len(s.requests()) != 0 {
		t.Errorf("%s, %d token requests", body, len(s.requests()))
	}
}

func TestTheOtherClientSecretIsTriedWhenTheServerRefusesOne(t *testing.T) {
	s := newGranting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.PostForm.Get("client_secret") != "new-secret" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		granted(w, "token")
	})
	sc := s.serving(t, "token_endpoint "+s.tokens.URL+"/token\ntoken_endpoint_auth_method client_secret_post\nclient_id app\nclient_secret old-secret\nclient_secret new-secret", "")
	if res, body := sc.do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if n := len(s.requests()); n != 2 {
		t.Errorf("%d token requests", n)
	}
}

func TestOneClientsTokenGoesIntoAnothersTokenRequest(t *testing.T) {
	s := newGranting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/platform" {
			granted(w, "platform-token")
			return
		}
		if r.Header.Get("X-Platform") != "Bearer platform-token" || r.PostForm.Get("ticket") != "platform-token" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		granted(w, "shop-token")
	})
	sc := s.serving(t, `token_endpoint `+s.tokens.URL+`/shop
			client_id shop
			token_endpoint_auth_method none
			header X-Platform "Bearer {oauth2_client.platform.access_token}"
			param ticket {oauth2_client.platform.access_token}`, `oauth2_client platform {
		token_endpoint `+s.tokens.URL+`/platform
		client_id platform
		client_secret literal
	}`)
	if res, body := sc.do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer shop-token|") {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if n := len(s.requests()); n != 2 {
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
		s := newGranting(t, nil)
		sc := newSidecar(t, newRotating(t))
		var cfg caddy.Config
		if err := json.Unmarshal(adapt(t, s.caddyfile(sc, "token_endpoint https://as.example.com/\nclient_id x\nclient_secret literal", fmt.Sprintf(circle, other))), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

// exchanging answers exchanges of good subject tokens with tokens of their own.
func exchanging(w http.ResponseWriter, r *http.Request) {
	subject := r.PostForm.Get("subject_token")
	if r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" || !strings.HasPrefix(subject, "user-") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"the subject token is not valid"}`)
		return
	}
	granted(w, "for-"+subject)
}

func TestEachCallersTokenIsExchanged(t *testing.T) {
	for name, place := range map[string]struct{ setting, header, prefix string }{
		"Authorization":         {"{http.request.header.Authorization}", "Authorization", "Bearer "},
		"the short placeholder": {"{header.Authorization}", "Authorization", "Bearer "},
		"a header of its own":   {"{http.request.header.X-User-Token}", "X-User-Token", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newGranting(t, exchanging)
			sc := s.serving(t, "token_endpoint "+s.tokens.URL+"/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token "+place.setting, "")
			for range 3 {
				for _, user := range []string{"user-erika", "user-max"} {
					res, body := sc.do("GET", "/", "", place.header, place.prefix+user)
					if res.StatusCode != 200 || body != "Bearer for-"+user+"||" {
						t.Fatalf("got %d %s", res.StatusCode, body)
					}
				}
			}
			if n := len(s.requests()); n != 2 {
				t.Errorf("%d token requests", n)
			}

			res, body := sc.do("GET", "/", "", place.header, place.prefix+"stolen")
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` || !strings.Contains(body, `"remedy"`) || strings.Contains(body, "stolen") {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
			res, body = sc.do("GET", "/", "")
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(body, "no_subject_token") {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
		})
	}
}

func TestCallersTokensSurviveAReload(t *testing.T) {
	s := newGranting(t, exchanging)
	settings := "token_endpoint " + s.tokens.URL + "/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token {http.request.header.Authorization}"
	sc := s.serving(t, settings, "")
	for i := range 5 {
		if res, body := sc.do("GET", "/", "", "Authorization", "Bearer user-erika"); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		sc.load(s.caddyfile(sc, settings, fmt.Sprintf("grace_period %ds", i+1)))
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

func TestATokenExchangeThatIsDownIsA503(t *testing.T) {
	s := newGranting(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	sc := s.serving(t, "token_endpoint "+s.tokens.URL+"/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token {http.request.header.Authorization}", "")
	res, body := sc.do("GET", "/", "", "Authorization", "Bearer user-erika")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "server_error") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestEachRoutesScopeHasATokenOfItsOwn(t *testing.T) {
	s := newGranting(t, func(w http.ResponseWriter, r *http.Request) {
		granted(w, "for-"+strings.ReplaceAll(r.PostForm.Get("scope"), " ", "+")+"-"+r.PostForm.Get("audience"))
	})
	sc := newSidecar(t, newRotating(t))
	_, port, _ := strings.Cut(sc.address, ":")
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
}`, sc.log, s.tokens.URL, port, s.api.URL)
	sc.load(config)
	for path, want := range map[string]string{
		"/": "Bearer for-usual-|", "/orders": "Bearer for-orders.read+orders.write-|", "/again": "Bearer for-orders.read+orders.write-|", "/billing": "Bearer for-usual-billing|",
	} {
		if res, body := sc.do("GET", path, ""); res.StatusCode != 200 || !strings.HasPrefix(body, want) {
			t.Errorf("%s: got %d %s, want %s", path, res.StatusCode, body, want)
		}
	}
	if n := len(s.requests()); n != 3 {
		t.Errorf("%d token requests", n)
	}
}

func TestARotatingGrantHasOneScopeForAllRoutes(t *testing.T) {
	as := newRotating(t)
	sc := newSidecar(t, as)
	for what, want := range map[string]string{"in place": "belong into its own settings", "rotating": "declare another client"} {
		config := sc.config("", "scope orders")
		if what == "rotating" {
			from, to := strings.Index(config, "client erp {"), strings.LastIndex(config, "scope orders")
			block := strings.TrimSpace(config[from:to])
			config = strings.Replace(config, block, "client erp", 1)
			config = strings.Replace(config, "admin off", "admin off\n"+strings.Replace(block, "client erp {", "oauth2_client erp {", 1), 1)
		}
		var cfg caddy.Config
		if err := json.Unmarshal(adapt(t, config), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want it to say %q", what, err, want)
		}
	}
}
