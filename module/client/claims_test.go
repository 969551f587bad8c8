package client_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/filestore"
	"lamplighter/module/moduletest"
)

// Fault B1.
func TestARenamedClientSpendsNothing(t *testing.T) {
	for _, how := range []string{"by a reload", "by a restart"} {
		t.Run(how, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			s.Load(s.Config("", ""))
			s.WantOK()
			change := func(config string) {
				if how == "by a restart" {
					if err := caddy.Stop(); err != nil {
						t.Fatal(err)
					}
				}
				s.Load(config)
			}
			change(s.Renamed("erp2", ""))
			place := filepath.Join(s.Dir, "data", "caddy", "oauth2_client", "erp.json")
			s.WantTakenSeed("'lamplighter tokens rename erp erp2'", "client erp,", place)
			change(s.Config("", ""))
			s.WantOK()
			if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

// Fault B1.
func TestAClientWhoseStoreWasChangedSpendsNothing(t *testing.T) {
	for _, how := range []string{"by a reload", "by a restart"} {
		t.Run(how, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			s.Load(s.Config("", ""))
			s.WantOK()
			if how == "by a restart" {
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			s.Load(s.Config("store file {\npath "+filepath.Join(s.Dir, "other")+"\n}", ""))
			former := filepath.Join(s.Dir, "data", "caddy", "oauth2_client")
			s.WantTakenSeed("'lamplighter tokens move erp --from "+former+"'", filepath.Join(former, "erp.json"))
			s.Load(s.Renamed("erp2", "store file {\npath "+filepath.Join(s.Dir, "other")+"\n}"))
			s.WantTakenSeed("'lamplighter tokens rename erp erp2 --from " + former + "'")
			s.Load(s.Config("", ""))
			s.WantOK()
			if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

// Fault B3, under another name.
func TestAClientThatIgnoresRotationPresentsNothingThatIsAnothers(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("", ""))
	s.WantOK()
	s.Load(s.Renamed("erp2", "rotation ignore"))
	s.WantTakenSeed("client erp,")
}

// A seed that a server left as it was may be presented by any client.
func TestASeedThatWasNotSpentMayBePresentedFromAnotherStore(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool {
		as.AccessToken = "access-token-abcdefghij"
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, as.AccessToken)
		return true
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("rotation optional", ""))
	s.WantOK()
	s.Load(s.Renamed("erp2", "rotation optional"))
	s.WantOK()
	s.Load(s.Renamed("erp2", "rotation optional\nstore file {\npath "+filepath.Join(s.Dir, "other")+"\n}"))
	s.WantOK()
	if requests, _, _ := as.Count(); requests != 3 {
		t.Errorf("%d token requests", requests)
	}
}

// What is missing then is not the grant.
func TestAClientThatIsRenamedAndReboundSaysSoAfterTheGrantWasCarriedOver(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("", ""))
	s.WantOK()
	s.Load(strings.Replace(s.Renamed("erp2", ""), "client_id "+moduletest.ClientID, "client_id other", 1))
	s.WantTakenSeed("'lamplighter tokens rename erp erp2'")
	s.Adopt("erp2", `{"client": "erp"}`)
	moduletest.Eventually(t, "the client says what is wrong", func() bool {
		var status struct{ Cause string }
		return moduletest.Asked(t, "GET", "clients/erp2", &status) == 200 && status.Cause == "configuration_changed"
	})
	s.Load(s.Renamed("erp2", ""))
	s.WantOK()
	if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
	}
}

// Fault B2.
func TestANewClientWithAnothersOldSeedSpendsNothing(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("", ""))
	s.WantOK()
	erp := fmt.Sprintf("\toauth2_client erp {\n\t\tprovider tencent_eiam %s\n\t\tclient_id %s\n\t\tclient_secret {file.%s/secret}\n\t}\n", s.AS.Tokens.URL, moduletest.ClientID, s.Dir)
	s.Load(strings.Replace(s.Renamed("other", ""), "{\n", "{\n"+erp, 1))
	s.WantTakenSeed("client erp of the same configuration", "'lamplighter tokens login other'")
}

// Fault B12.
func TestSwappedSeedsThatArePutRightMendByThemselves(t *testing.T) {
	server, count := twoSeeds(t)
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	supply := func(one, two string) {
		for file, seed := range map[string]string{"one": one, "two": two} {
			if err := os.WriteFile(filepath.Join(s.Dir, file), []byte(seed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	site := func(name, matcher string) string {
		return fmt.Sprintf("upstream_oauth %s %s {\nclient %s {\nprovider tencent_eiam %s\nclient_id id\nclient_secret {file.%s/secret}\nrefresh_token {file.%[5]s/%[3]s}\n}\n}\n",
			matcher, s.AS.API.URL, name, server, s.Dir)
	}
	_, port, _ := strings.Cut(s.Address, ":")
	config := func(wait string) string {
		return fmt.Sprintf("{\nadmin off\npersist_config off\nlog {\noutput file %s/log\n}\n}\nhttp://:%s {\nbind 127.0.0.1\n# %s\n%s%s}", s.Dir, port, wait, site("one", "/one"), site("two", "/two"))
	}
	s.AS.Refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) } // any token will do
	want := func() {
		t.Helper()
		for _, path := range []string{"/one", "/two"} {
			if res, body := s.Do("GET", path, ""); res.StatusCode != 200 {
				t.Fatalf("%s: got %d %s", path, res.StatusCode, body)
			}
		}
		if requests, spent := count(); requests != 2 || spent != 0 {
			t.Fatalf("%d token requests, %d with a spent refresh token", requests, spent)
		}
	}
	supply("seed-of-one-0123456789", "seed-of-two-0123456789")
	s.Load(config("first"))
	want()
	supply("seed-of-two-0123456789", "seed-of-one-0123456789")
	s.Load(config("swapped"))
	moduletest.Eventually(t, "both say that the other seed was not sent", func() bool {
		log, err := os.ReadFile(s.Log)
		return err == nil && strings.Count(string(log), `"cause":"seed_of_another_record"`) == 2
	})
	want()
	supply("seed-of-one-0123456789", "seed-of-two-0123456789")
	s.Load(config("put right"))
	want()
}

func TestALedgerThatCannotBeWrittenIsToldOnce(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	if err := os.MkdirAll(filepath.Join(s.Dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "data", "lamplighter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Load(s.Config("", ""))
	s.WantOK()
	const warning = "a change of a client's store will not be noticed"
	moduletest.Eventually(t, "it is told", func() bool {
		log, err := os.ReadFile(s.Log)
		return err == nil && strings.Contains(string(log), warning)
	})
	// In this process it is known all the same.
	s.Load(s.Config("store file {\npath "+filepath.Join(s.Dir, "other")+"\n}", ""))
	s.WantTakenSeed("tokens move erp --from")
	if log, err := os.ReadFile(s.Log); err != nil || strings.Count(string(log), warning) != 1 {
		t.Errorf("it is told %d times, %v", strings.Count(string(log), warning), err)
	}
}

func TestAClientWhoseRecordIsMissingSpendsNothing(t *testing.T) {
	for _, lost := range []string{"ledger", "claims", "neither"} {
		t.Run("without "+lost, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			dir := filepath.Join(s.Dir, "records")
			config := s.Config("store file {\npath "+dir+"\n}", "")
			s.Load(config)
			s.WantOK()
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			place := filepath.Join(dir, "erp.json")
			records := filestore.NewFile(dir)
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
				s.Load(config)
				s.WantUnsent("record_missing", place, "'lamplighter tokens login erp'")
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			s.Load(config)
			s.WantUnsent("record_missing")
			back := *kept
			back.WriteID = "of another process"
			if err := records.Save(t.Context(), "erp", &back, 0); err != nil { // nothing was written
				t.Fatal(err)
			}
			moduletest.Eventually(t, "it goes on with the record that is back", func() bool {
				res, _ := s.Do("GET", "/", "")
				return res.StatusCode == 200
			})
			if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
				t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
			}
		})
	}
}

// The first refresh token is gone, as it may be when there is a record.
func TestARenamedClientWithoutARefreshTokenIsToldWhatItWasCalled(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("", ""))
	s.WantOK()
	without := func(config string) string {
		return strings.Replace(config, "refresh_token {file."+s.Dir+"/seed}", "", 1)
	}
	former := filepath.Join(s.Dir, "data", "caddy", "oauth2_client")
	s.Load(without(s.Renamed("erp2", "")))
	s.WantUnsent("no_refresh_token", "run 'lamplighter tokens rename erp erp2'", filepath.Join(former, "erp.json"))
	s.Load(without(s.Config("store file {\npath "+filepath.Join(s.Dir, "other")+"\n}", "")))
	s.WantUnsent("no_refresh_token", "run 'lamplighter tokens move erp --from "+former+"'", filepath.Join(former, "erp.json"))
	// Of another authorization server it says nothing, nor of a client that has its name.
	s.Load(strings.Replace(without(s.Renamed("erp3", "")), s.AS.Tokens.URL, "https://elsewhere.example", 1))
	s.WantUnsent("no_refresh_token", "tokens login erp3")
	if _, body := s.Do("GET", "/", ""); strings.Contains(body, "rename") {
		t.Errorf("got %s", body)
	}
	s.Load(without(s.Renamed("erp2", "")))
	s.Adopt("erp2", `{"client":"erp"}`)
	moduletest.Eventually(t, "the client goes on", func() bool {
		res, _ := s.Do("GET", "/", "")
		return res.StatusCode == 200
	})
}
