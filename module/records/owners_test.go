package records_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
	"lamplighter/module/records"
)

func TestWhatAServiceHasSpentIsPresentedByNobodyElse(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("", ""))
	s.WantOK()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	service := caddy.AppDataDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(s.Dir, "other"))
	records.Beside(service)
	t.Cleanup(func() { records.Beside("") })
	s.Load(s.Config("", ""))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 503 || !strings.Contains(body, "seed_of_another_record") || strings.Contains(body, "tokens move") || !strings.Contains(body, filepath.Join(service, "oauth2_client", "erp.json")) {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
	}
}
