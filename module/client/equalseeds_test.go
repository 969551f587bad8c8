package client_test

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

	"lamplighter/module/moduletest"
)

// twoSeeds is a server that rotates the refresh tokens of clients one and two, and counts
// those that were spent.
func twoSeeds(t *testing.T) (url string, count func() (requests, spent int)) {
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
	t.Cleanup(as.Close)
	return as.URL, func() (int, int) {
		mu.Lock()
		defer mu.Unlock()
		return requests, spent
	}
}

// twoClients is a Caddyfile of clients one and two, whose refresh tokens are read from
// what is told, with a server that rotates them and counts those that were spent.
func twoClients(t *testing.T) (s *moduletest.Sidecar, config func(one, two string) string, count func() (requests, spent int)) {
	server, count := twoSeeds(t)
	s = moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.AS.Refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) } // any token will do
	site := func(name, seed string) string {
		return fmt.Sprintf("upstream_oauth /%s %s {\nclient %[1]s {\nprovider tencent_eiam %[3]s\nclient_id id\nclient_secret {file.%[4]s/secret}\nrefresh_token %[5]s\n}\n}\n",
			name, s.AS.API.URL, server, s.Dir, seed)
	}
	_, port, _ := strings.Cut(s.Address, ":")
	config = func(one, two string) string {
		return fmt.Sprintf("{\nadmin off\npersist_config off\nlog {\noutput file %s/log\n}\n}\nhttp://:%s {\nbind 127.0.0.1\n%s%s}", s.Dir, port, site("one", one), site("two", two))
	}
	return s, config, count
}

// A file that was overwritten kept the whole instance from starting, with grants in it
// that need no seed.
func TestSeedFilesThatBecameEqualKeepNobodyFromStarting(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprintf("known %v", known), func(t *testing.T) {
			s, config, count := twoClients(t)
			supply := func(file, seed string) string {
				path := filepath.Join(s.Dir, file)
				if err := os.WriteFile(path, []byte(seed), 0o600); err != nil {
					t.Fatal(err)
				}
				return "{file." + path + "}"
			}
			statuses := func() (list [2]int) {
				for i, path := range []string{"/one", "/two"} {
					res, _ := s.Do("GET", path, "")
					list[i] = res.StatusCode
				}
				return list
			}
			one, two := supply("one", "seed-of-one-0123456789"), supply("two", "seed-of-two-0123456789")
			if known {
				s.Load(config(one, two))
				if got := statuses(); got != [2]int{200, 200} {
					t.Fatalf("got %v", got)
				}
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			supply("two", "seed-of-one-0123456789")
			s.Load(config(one, two))
			got, want := statuses(), 2
			requests, spent := count()
			if !known {
				want = 1 // of the two one has it
			}
			if requests != want || spent != 0 || known != (got == [2]int{200, 200}) || got[0] != 200 && got[1] != 200 {
				t.Errorf("got %v with %d token requests, %d of a spent refresh token", got, requests, spent)
			}
			moduletest.Eventually(t, "it is told", func() bool {
				log, err := os.ReadFile(s.Log)
				return err == nil && strings.Contains(string(log), "the refresh_token of two clients is the same now")
			})
		})
	}
}

// What the configuration itself says is wrong in any case.
func TestClientsWithOneSettingForARefreshTokenAreAnError(t *testing.T) {
	s, config, _ := twoClients(t)
	for _, seed := range []string{"a-literal-seed", "{file." + s.Dir + "/seed}"} {
		if err := caddy.Load(moduletest.Adapt(t, config(seed, seed)), true); err == nil || !strings.Contains(err.Error(), "the same as that of client") {
			t.Errorf("%s: got %v", seed, err)
		}
	}
}
