package module_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/store"
)

// renamed is a Caddyfile whose client has another name.
func (s *sidecar) renamed(name, settings string) string {
	return strings.Replace(s.config(settings, ""), "client erp {", "client "+name+" {", 1)
}

// wantTakenSeed checks that the client sends nothing, and says whose its seed is.
func (s *sidecar) wantTakenSeed(words ...string) {
	s.t.Helper()
	s.wantUnsent("seed_of_another_record", words...)
}

// wantUnsent checks that the client sends nothing, and says why.
func (s *sidecar) wantUnsent(cause string, words ...string) {
	s.t.Helper()
	before, _, _ := s.as.count()
	var body string
	eventually(s.t, "the client says "+cause, func() bool {
		res, got := s.do("GET", "/", "")
		body = got
		return res.StatusCode == 503 && strings.Contains(body, cause)
	})
	for _, word := range words {
		if !strings.Contains(body, word) {
			s.t.Errorf("%s does not say %q", body, word)
		}
	}
	if strings.Contains(body, firstRefresh) {
		s.t.Errorf("%s holds a secret", body)
	}
	if requests, spent, _ := s.as.count(); requests != before || spent != 0 {
		s.t.Errorf("%d token requests, %d of them with a spent refresh token", requests-before, spent)
	}
}

func (s *sidecar) wantOK() {
	s.t.Helper()
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		s.t.Fatalf("got %d %s", res.StatusCode, body)
	}
}

// adopt is 'tokens rename' and 'tokens move --from'.
func (s *sidecar) adopt(name, body string) {
	s.t.Helper()
	if err := s.tryAdopt(name, body); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sidecar) tryAdopt(name, body string) error {
	s.t.Helper()
	info, err := caddy.GetModule("admin.api.oauth2_client")
	if err != nil {
		s.t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "/oauth2_client/clients/"+name+"/adopt", strings.NewReader(body))
	return info.New().(caddy.AdminRouter).Routes()[0].Handler.ServeHTTP(httptest.NewRecorder(), req)
}

// Fault B1.
func TestARenamedClientSpendsNothing(t *testing.T) {
	for _, how := range []string{"by a reload", "by a restart"} {
		t.Run(how, func(t *testing.T) {
			s := newSidecar(t, newRotating(t))
			s.load(s.config("", ""))
			s.wantOK()
			change := func(config string) {
				if how == "by a restart" {
					if err := caddy.Stop(); err != nil {
						t.Fatal(err)
					}
				}
				s.load(config)
			}
			change(s.renamed("erp2", ""))
			place := filepath.Join(s.dir, "data", "caddy", "oauth2_client", "erp.json")
			s.wantTakenSeed("'lamplighter tokens rename erp erp2'", "client erp,", place)
			change(s.config("", ""))
			s.wantOK()
			if requests, spent, _ := s.as.count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

// Fault B1.
func TestAClientWhoseStoreWasChangedSpendsNothing(t *testing.T) {
	for _, how := range []string{"by a reload", "by a restart"} {
		t.Run(how, func(t *testing.T) {
			s := newSidecar(t, newRotating(t))
			s.load(s.config("", ""))
			s.wantOK()
			if how == "by a restart" {
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			s.load(s.config("store file {\npath "+filepath.Join(s.dir, "other")+"\n}", ""))
			former := filepath.Join(s.dir, "data", "caddy", "oauth2_client")
			s.wantTakenSeed("'lamplighter tokens move erp --from "+former+"'", filepath.Join(former, "erp.json"))
			s.load(s.renamed("erp2", "store file {\npath "+filepath.Join(s.dir, "other")+"\n}"))
			s.wantTakenSeed("'lamplighter tokens rename erp erp2 --from " + former + "'")
			s.load(s.config("", ""))
			s.wantOK()
			if requests, spent, _ := s.as.count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

// Fault B3, under another name.
func TestAClientThatIgnoresRotationPresentsNothingThatIsAnothers(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	s.load(s.config("", ""))
	s.wantOK()
	s.load(s.renamed("erp2", "rotation ignore"))
	s.wantTakenSeed("client erp,")
}

// A seed that a server left as it was may be presented by any client.
func TestASeedThatWasNotSpentMayBePresentedFromAnotherStore(t *testing.T) {
	as := newRotating(t)
	as.answer = func(w http.ResponseWriter) bool {
		as.accessToken = "access-token-abcdefghij"
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, as.accessToken)
		return true
	}
	s := newSidecar(t, as)
	s.load(s.config("rotation optional", ""))
	s.wantOK()
	s.load(s.renamed("erp2", "rotation optional"))
	s.wantOK()
	s.load(s.renamed("erp2", "rotation optional\nstore file {\npath "+filepath.Join(s.dir, "other")+"\n}"))
	s.wantOK()
	if requests, _, _ := as.count(); requests != 3 {
		t.Errorf("%d token requests", requests)
	}
}

// What is missing then is not the grant.
func TestAClientThatIsRenamedAndReboundSaysSoAfterTheGrantWasCarriedOver(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	s.load(s.config("", ""))
	s.wantOK()
	s.load(strings.Replace(s.renamed("erp2", ""), "client_id "+testClientID, "client_id other", 1))
	s.wantTakenSeed("'lamplighter tokens rename erp erp2'")
	s.adopt("erp2", `{"client": "erp"}`)
	eventually(t, "the client says what is wrong", func() bool {
		var status struct{ Cause string }
		return asked(t, "GET", "clients/erp2", &status) == 200 && status.Cause == "configuration_changed"
	})
	s.load(s.renamed("erp2", ""))
	s.wantOK()
	if requests, spent, _ := s.as.count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
	}
}

// Fault B2.
func TestANewClientWithAnothersOldSeedSpendsNothing(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	s.load(s.config("", ""))
	s.wantOK()
	erp := fmt.Sprintf("\toauth2_client erp {\n\t\tprovider tencent_eiam %s\n\t\tclient_id %s\n\t\tclient_secret {file.%s/secret}\n\t}\n", s.as.tokens.URL, testClientID, s.dir)
	s.load(strings.Replace(s.renamed("other", ""), "{\n", "{\n"+erp, 1))
	s.wantTakenSeed("client erp of the same configuration", "'lamplighter tokens login other'")
}

// Fault B12.
func TestSwappedSeedsThatArePutRightMendByThemselves(t *testing.T) {
	var requests, spent int
	var mu sync.Mutex
	current := map[string]bool{"seed-of-one-0123456789": true, "seed-of-two-0123456789": true}
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		token := r.URL.Query().Get("refresh_token")
		if !current[token] {
			spent++
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_request","error_description":"invalid_token"}`)
			return
		}
		delete(current, token)
		current[token+"+"] = true
		fmt.Fprintf(w, `{"access_token":"access-%s","refresh_token":"%s+","token_type":"Bearer","expires_in":3600}`, token, token)
	}))
	defer as.Close()
	s := newSidecar(t, newRotating(t))
	supply := func(one, two string) {
		for file, seed := range map[string]string{"one": one, "two": two} {
			if err := os.WriteFile(filepath.Join(s.dir, file), []byte(seed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	site := func(name, matcher string) string {
		return fmt.Sprintf("upstream_oauth %s %s {\nclient %s {\nprovider tencent_eiam %s\nclient_id id\nclient_secret {file.%s/secret}\nrefresh_token {file.%[5]s/%[3]s}\n}\n}\n",
			matcher, s.as.api.URL, name, as.URL, s.dir)
	}
	_, port, _ := strings.Cut(s.address, ":")
	config := func(wait string) string {
		return fmt.Sprintf("{\nadmin off\npersist_config off\nlog {\noutput file %s/log\n}\n}\nhttp://:%s {\nbind 127.0.0.1\n# %s\n%s%s}", s.dir, port, wait, site("one", "/one"), site("two", "/two"))
	}
	s.as.refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) } // any token will do
	want := func() {
		t.Helper()
		for _, path := range []string{"/one", "/two"} {
			if res, body := s.do("GET", path, ""); res.StatusCode != 200 {
				t.Fatalf("%s: got %d %s", path, res.StatusCode, body)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if requests != 2 || spent != 0 {
			t.Fatalf("%d token requests, %d with a spent refresh token", requests, spent)
		}
	}
	supply("seed-of-one-0123456789", "seed-of-two-0123456789")
	s.load(config("first"))
	want()
	supply("seed-of-two-0123456789", "seed-of-one-0123456789")
	s.load(config("swapped"))
	eventually(t, "both say that the other seed was not sent", func() bool {
		log, err := os.ReadFile(s.log)
		return err == nil && strings.Count(string(log), `"cause":"seed_of_another_record"`) == 2
	})
	want()
	supply("seed-of-one-0123456789", "seed-of-two-0123456789")
	s.load(config("put right"))
	want()
}

func TestALedgerThatCannotBeWrittenIsToldOnce(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	if err := os.MkdirAll(filepath.Join(s.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "data", "lamplighter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.load(s.config("", ""))
	s.wantOK()
	const warning = "a change of a client's store will not be noticed"
	eventually(t, "it is told", func() bool {
		log, err := os.ReadFile(s.log)
		return err == nil && strings.Contains(string(log), warning)
	})
	// In this process it is known all the same.
	s.load(s.config("store file {\npath "+filepath.Join(s.dir, "other")+"\n}", ""))
	s.wantTakenSeed("tokens move erp --from")
	if log, err := os.ReadFile(s.log); err != nil || strings.Count(string(log), warning) != 1 {
		t.Errorf("it is told %d times, %v", strings.Count(string(log), warning), err)
	}
}

func TestAClientWhoseRecordIsMissingSpendsNothing(t *testing.T) {
	for _, lost := range []string{"ledger", "claims", "neither"} {
		t.Run("without "+lost, func(t *testing.T) {
			s := newSidecar(t, newRotating(t))
			dir := filepath.Join(s.dir, "records")
			config := s.config("store file {\npath "+dir+"\n}", "")
			s.load(config)
			s.wantOK()
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			place := filepath.Join(dir, "erp.json")
			records := store.NewFile(dir)
			kept, err := records.Load(t.Context(), "erp")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(place); err != nil {
				t.Fatal(err)
			}
			switch lost {
			case "claims":
				if err := os.RemoveAll(filepath.Join(dir, ".claims")); err != nil {
					t.Fatal(err)
				}
			case "ledger": // which this process does not know either
				t.Setenv("XDG_DATA_HOME", t.TempDir())
			}
			for range 3 { // what the first start writes must not mislead the next one
				s.load(config)
				s.wantUnsent("record_missing", place, "'lamplighter tokens login erp'")
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			s.load(config)
			s.wantUnsent("record_missing")
			back := *kept
			back.WriteID = "of another process"
			eventually(t, "the record is put back", func() bool {
				return os.Remove(place) == nil && records.Save(t.Context(), "erp", &back, 0) == nil
			})
			eventually(t, "it goes on with the record that is back", func() bool {
				res, _ := s.do("GET", "/", "")
				return res.StatusCode == 200
			})
			if requests, spent, _ := s.as.count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

// The first refresh token is gone, as it may be when there is a record.
func TestARenamedClientWithoutARefreshTokenIsToldWhatItWasCalled(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	s.load(s.config("", ""))
	s.wantOK()
	without := func(config string) string {
		return strings.Replace(config, "refresh_token {file."+s.dir+"/seed}", "", 1)
	}
	former := filepath.Join(s.dir, "data", "caddy", "oauth2_client")
	s.load(without(s.renamed("erp2", "")))
	s.wantUnsent("no_refresh_token", "run 'lamplighter tokens rename erp erp2'", filepath.Join(former, "erp.json"))
	s.load(without(s.config("store file {\npath "+filepath.Join(s.dir, "other")+"\n}", "")))
	s.wantUnsent("no_refresh_token", "run 'lamplighter tokens move erp --from "+former+"'", filepath.Join(former, "erp.json"))
	// Of another authorization server it says nothing, nor of a client that has its name.
	s.load(strings.Replace(without(s.renamed("erp3", "")), s.as.tokens.URL, "https://elsewhere.example", 1))
	s.wantUnsent("no_refresh_token", "tokens login erp3")
	if _, body := s.do("GET", "/", ""); strings.Contains(body, "rename") {
		t.Errorf("got %s", body)
	}
	s.load(without(s.renamed("erp2", "")))
	s.adopt("erp2", `{"client":"erp"}`)
	eventually(t, "the client goes on", func() bool {
		res, _ := s.do("GET", "/", "")
		return res.StatusCode == 200
	})
}
