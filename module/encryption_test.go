package module_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/caddyserver/caddy/v2"
)

func (s *sidecar) keyFiles(names ...string) {
	s.t.Helper()
	for _, name := range names {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			s.t.Fatal(err)
		}
		write(s.t, s, name, identity.String()+"\n")
	}
}

func TestRecordsAreEncryptedAndKeysRotateAcrossRestarts(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.keyFiles("old", "new")
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

// A store that is not the configuration's any more is named with its key, and the error
// of the command that the remedy gives says how.
func TestAGrantIsCarriedOverFromAStoreWithAKeyOfItsOwn(t *testing.T) {
	s := newSidecar(t, newRotating(t))
	s.keyFiles("key")
	former := filepath.Join(s.dir, "former")
	settings := "store file {\npath " + former + "\nencryption_key " + s.dir + "/key\n}"
	s.load(s.config(settings, ""))
	s.wantOK()
	other := "store file {\npath " + filepath.Join(s.dir, "other") + "\n}"
	for _, c := range []struct{ name, client, command string }{
		{"erp", "", "tokens move erp --from "},
		{"erp2", "erp", "tokens rename erp erp2 --from "},
	} {
		s.load(s.renamed(c.name, other))
		s.wantTakenSeed("'lamplighter " + c.command + former + "'")
		err := s.tryAdopt(c.name, fmt.Sprintf(`{"client":%q,"store":%q}`, c.client, former))
		want := "lamplighter " + c.command + `'{"path":"` + former + `","encryption_key":["/path/to/its/key"]}'`
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	// That store is used by another client, which has no key any more.
	crm := fmt.Sprintf("upstream_oauth /crm %s {\nclient crm {\ntoken_endpoint http://127.0.0.1:1/token\nclient_id crm\nclient_secret {file.%s/secret}\ngrant_type client_credentials\nstore file {\npath %s\n}\n}\n}\n}", s.as.api.URL, s.dir, former)
	s.load(strings.TrimSuffix(s.config(other, ""), "}") + crm)
	s.wantTakenSeed("tokens move erp")
	s.adopt("erp", fmt.Sprintf(`{"store":%q}`, `{"path":"`+former+`","encryption_key":["`+s.dir+`/key"]}`))
	eventually(t, "the client goes on", func() bool {
		res, _ := s.do("GET", "/", "")
		return res.StatusCode == 200
	})
	if requests, spent, _ := s.as.count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
}
