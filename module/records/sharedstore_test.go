package records_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"lamplighter/module/moduletest"
	"lamplighter/module/store"
)

// inStore is a store of the test's own.
func inStore(t *testing.T, more ...string) string {
	return fmt.Sprintf("store memory {\nplace %s\n%s\n}", t.Name(), strings.Join(more, "\n"))
}

// inGeneral puts a store into the global options of a Caddyfile.
func inGeneral(config, store string) string {
	return strings.Replace(config, "{\n", "{\n\toauth2_"+store+"\n", 1)
}

func TestAGrantIsKeptInASharedStore(t *testing.T) {
	for name, config := range map[string]func(s *moduletest.Sidecar, store string) string{
		"of the client":   func(s *moduletest.Sidecar, store string) string { return s.Config(store, "") },
		"of all of them":  func(s *moduletest.Sidecar, store string) string { return inGeneral(s.Config("", ""), store) },
		"in place of one": func(s *moduletest.Sidecar, store string) string { return inGeneral(s.Config(store, ""), "store file") },
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			before, open := engines(t)
			s.Load(config(s, inStore(t)))
			s.WantOK()
			s.Load(config(s, inStore(t)))
			s.WantOK()
			if made, _ := engines(t); made != before+1 {
				t.Errorf("%d engines for a configuration that is loaded twice", made-before)
			}
			s.Load(config(s, inStore(t, "password {file."+s.Dir+"/secret}")))
			s.WantOK()
			if made, _ := engines(t); made != before+2 {
				t.Errorf("%d engines after a change of the password", made-before)
			}
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			s.Load(config(s, inStore(t)))
			s.WantOK()
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if _, left := engines(t); left > open+1 { // one that was replaced is closed a while after
				t.Errorf("%d engines are left", left-open)
			}
			if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
			if _, err := os.Stat(filepath.Join(s.Dir, "data", "caddy", "oauth2_client", "erp.json")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is a file all the same: %v", err)
			}
		})
	}
}

func TestAStoreThatIsAwayAtTheStartCostsNothing(t *testing.T) {
	for name, fault := range map[string]error{"away": store.ErrUnavailable, "refused": store.ErrRefused, "unsafe": store.ErrUnsafe} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			engines(t)
			storesFail(fault)
			s.Load(s.Config(inStore(t)+"\nwait 100ms", ""))
			if res, body := s.Do("GET", "/", ""); res.StatusCode != 503 || !strings.Contains(body, "store_") || name != "unsafe" && !strings.Contains(body, "'store memory'") {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
			if requests, _, _ := s.AS.Count(); requests != 0 {
				t.Errorf("%d token requests without a store", requests)
			}
			storesFail(nil)
			moduletest.Eventually(t, "a request is served once the store is there", func() bool {
				res, _ := s.Do("GET", "/", "")
				return res.StatusCode == 200
			})
			if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

func TestAGrantIsMovedBetweenStores(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("", ""))
	s.WantOK()
	files := filepath.Join(s.Dir, "data", "caddy", "oauth2_client")
	s.Load(s.Config(inStore(t, "password literal-password"), ""))
	s.WantTakenSeed("'lamplighter tokens move erp --from " + files + "'")
	s.Adopt("erp", fmt.Sprintf(`{"store": %q}`, files))
	moduletest.Eventually(t, "the client goes on in the shared store", func() bool {
		res, _ := s.Do("GET", "/", "")
		return res.StatusCode == 200
	})
	s.Load(s.Config("", ""))
	var body string
	moduletest.Eventually(t, "the file tells where the grant is", func() bool {
		res, got := s.Do("GET", "/", "")
		body = got
		return res.StatusCode == 503 && strings.Contains(body, "record_moved")
	})
	if !strings.Contains(body, `"kind":"memory"`) && !strings.Contains(body, `\"kind\":\"memory\"`) || strings.Contains(body, "literal-password") {
		t.Errorf("it says %s", body)
	}
	s.Adopt("erp", fmt.Sprintf(`{"store": %q}`, fmt.Sprintf(`{"kind":"memory","place":%q,"password":"x"}`, t.Name())))
	moduletest.Eventually(t, "the client goes on in its file", func() bool {
		res, _ := s.Do("GET", "/", "")
		return res.StatusCode == 200
	})
	if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
	}
}

func TestAStoreThatMakesNoSenseIsRefused(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	for config, want := range map[string]string{
		`{"kind":"floppy"}`:                                      "this binary has file, memory",
		`{"kind":"memory","lease":"1ms"}`:                        "lease must be at least 1s",
		`{"kind":"memory","op_timeout":"9s"}`:                    "op_timeout must be at most a third of the lease",
		`{"kind":"memory","color":"red"}`:                        "color",
		`{"kind":"memory","encryption_key":["/nowhere"]}`:        "encryption_key",
		`{"kind":"file","lease":"15s"}`:                          "lease",
		`{"kind":7}`:                                             "kind",
		`{"kind":"file","path":"/tmp/x","allow_plaintext":true}`: "allow_plaintext",
	} {
		good := string(moduletest.Adapt(t, s.Config(inStore(t), "")))
		bad := strings.Replace(good, fmt.Sprintf(`{"kind":"memory","place":"%s"}`, t.Name()), config, 1)
		if bad == good {
			t.Fatalf("no store in %s", good)
		}
		if err := moduletest.ValidateJSON(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestTwoClientsInOnePlaceHaveOneStore(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	config := func(other string) string {
		first := s.Config(inStore(t), "")
		return inGeneral(first, fmt.Sprintf("client second {\ntoken_endpoint %s\nclient_id x\nclient_secret y\n%s\n}", s.AS.Tokens.URL, other))
	}
	if err := moduletest.Validate(t, config(inStore(t))); err != nil {
		t.Errorf("equal blocks: %v", err)
	}
	err := moduletest.Validate(t, config(inStore(t, "lease 20s")))
	if err == nil || !strings.Contains(err.Error(), "its settings differ from those of client") {
		t.Errorf("two leases in one place: %v", err)
	}
}

func TestWhatHappensInASharedStoreIsSeenByOperators(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	engines(t)
	s.Load(s.Config(inStore(t), ""))
	s.WantOK()
	for _, want := range []string{
		`caddy_oauth2_client_store_up{store="memory:` + t.Name() + `"} 1`,
		`caddy_oauth2_client_store_operation_duration_seconds_count{operation="acquire",result="ok",store="memory:` + t.Name() + `"} 1`,
		`caddy_oauth2_client_takeovers_total{client="erp"} 0`,
		`caddy_oauth2_client_lease_held{client="erp"} 0`,
	} {
		moduletest.Eventually(t, want, func() bool { return strings.Contains(metrics(t), want) })
	}
	var status struct {
		Store       string `json:"store"`
		StoreUp     *bool  `json:"store_up"`
		LeaseHolder string `json:"lease_holder"`
	}
	if code := moduletest.Asked(t, "GET", "clients/erp", &status); code != 200 || status.StoreUp == nil || !*status.StoreUp || !strings.Contains(status.Store, `"kind":"memory"`) {
		t.Errorf("status %d: %+v", code, status)
	}
	moduletest.Eventually(t, "changes are told by the store", func() bool { return watches(0) > 0 })
	storesFail(store.ErrUnavailable)
	moduletest.Eventually(t, "the store is away", func() bool {
		return strings.Contains(metrics(t), `caddy_oauth2_client_store_up{store="memory:`+t.Name()+`"} 0`)
	})
	moduletest.Eventually(t, "it is in the log", func() bool {
		b, err := os.ReadFile(s.Log)
		return err == nil && strings.Contains(string(b), `"store_unavailable"`)
	})
	s.WantOK() // served from memory
	storesFail(nil)
}

// metrics are those of the running configuration, as they are scraped.
func metrics(t *testing.T) string {
	t.Helper()
	ctx := caddy.ActiveContext()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(ctx.GetMetricsRegistry(), promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
