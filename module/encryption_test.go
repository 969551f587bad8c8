package module_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/caddyserver/caddy/v2"
)

func TestRecordsAreEncryptedAndKeysRotateAcrossRestarts(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	for _, name := range []string{"old", "new"} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, name, identity.String()+"\n")
	}
	record := filepath.Join(s.dir, "records", "erp.json")
	keys := func(names ...string) string {
		store := "store file {\npath " + s.dir + "/records\n"
		for _, name := range names {
			store += "encryption_key " + s.dir + "/" + name + "\n"
		}
		return s.config(store+"}", "")
	}
	run := func(config string, readable bool) {
		t.Helper()
		s.load(config)
		if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(record)
		if err != nil || strings.Contains(string(content), "refresh-token") != readable {
			t.Errorf("on the disk: %s (%v)", content, err)
		}
	}
	run(keys("old"), false)
	run(keys("new", "old"), false)
	if requests, spent, _ := as.count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
	// Without the key nothing is served, and nothing is asked for with the seed.
	s.load(strings.Replace(keys("new"), "provider", "wait 5s\nprovider", 1))
	res, body := s.do("GET", "/", "")
	if res.StatusCode != 503 || !strings.Contains(body, "encryption_key") {
		t.Errorf("without the key: %d %s", res.StatusCode, body)
	}
	if requests, spent, _ := as.count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
	if err := validate(t, keys("nowhere")); err == nil || !strings.Contains(err.Error(), "encryption_key") || !strings.Contains(err.Error(), "client erp") {
		t.Errorf("got %v", err)
	}
}
