package module_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// renamed is a Caddyfile whose client has another name.
func (s *sidecar) renamed(name, settings string) string {
	return strings.Replace(s.config(settings, ""), "client erp {", "client "+name+" {", 1)
}

// wantTakenSeed checks that the client sends nothing, and says whose its seed is.
func (s *sidecar) wantTakenSeed(words ...string) {
	s.t.Helper()
	before, _, _ := s.as.count()
	var body string
	eventually(s.t, "the client says whose its refresh token is", func() bool {
		res, got := s.do("GET", "/", "")
		body = got
		return res.StatusCode == 503 && strings.Contains(body, "seed_of_another_record")
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

// Fault B2.
func TestANewClientWithAnothersOldSeedSpendsNothing(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	s.load(s.config("", ""))
	s.wantOK()
	erp := fmt.Sprintf("\toauth2_client erp {\n\t\tprovider tencent_eiam %s\n\t\tclient_id %s\n\t\tclient_secret {file.%s/secret}\n\t}\n", s.as.tokens.URL, testClientID, s.dir)
	s.load(strings.Replace(s.renamed("other", ""), "{\n", "{\n"+erp, 1))
	s.wantTakenSeed("client erp of the same configuration", "'lamplighter tokens login other'")
}
