package client_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
)

func TestRecordsAreEncryptedAndKeysRotateAcrossRestarts(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.KeyFiles("old", "new")
	record := filepath.Join(s.Dir, "records", "erp.json")
	keys := func(names ...string) string {
		store := "store file {\npath " + s.Dir + "/records\n"
		for _, name := range names {
			store += "encryption_key " + s.Dir + "/" + name + "\n"
		}
		return s.Config(store+"}", "")
	}
	run := func(config string, readable bool) {
		t.Helper()
		s.Load(config)
		if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
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
	if requests, spent, _ := as.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
	// Without the key nothing is served, and nothing is asked for with the seed.
	s.Load(strings.Replace(keys("new"), "provider", "wait 5s\nprovider", 1))
	res, body := s.Do("GET", "/", "")
	if res.StatusCode != 503 || !strings.Contains(body, "encryption_key") {
		t.Errorf("without the key: %d %s", res.StatusCode, body)
	}
	if requests, spent, _ := as.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
	if err := moduletest.Validate(t, keys("nowhere")); err == nil || !strings.Contains(err.Error(), "encryption_key") || !strings.Contains(err.Error(), "client erp") {
		t.Errorf("got %v", err)
	}
}

// A store that is not the configuration's any more is named with its key, and the error
// of the command that the remedy gives says how.
func TestAGrantIsCarriedOverFromAStoreWithAKeyOfItsOwn(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.KeyFiles("key")
	former := filepath.Join(s.Dir, "former")
	settings := "store file {\npath " + former + "\nencryption_key " + s.Dir + "/key\n}"
	s.Load(s.Config(settings, ""))
	s.WantOK()
	other := "store file {\npath " + filepath.Join(s.Dir, "other") + "\n}"
	for _, c := range []struct{ name, client, command string }{
		{"erp", "", "tokens move erp --from "},
		{"erp2", "erp", "tokens rename erp erp2 --from "},
	} {
		s.Load(s.Renamed(c.name, other))
		// Its key is known on this machine, so that the remedy can be pasted.
		named := `{"path":"` + former + `","encryption_key":["` + s.Dir + `/key"]}`
		words, _ := json.Marshal("'lamplighter " + c.command + "'" + named + "''")
		s.WantTakenSeed(strings.Trim(string(words), `"`))
		err := s.TryAdopt(c.name, fmt.Sprintf(`{"client":%q,"store":%q}`, c.client, former))
		want := "lamplighter " + c.command + "'" + named + "'"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	// That store is used by another client, which has no key any more.
	crm := fmt.Sprintf("upstream_oauth /crm %s {\nclient crm {\ntoken_endpoint http://127.0.0.1:1/token\nclient_id crm\nclient_secret {file.%s/secret}\ngrant_type client_credentials\nstore file {\npath %s\n}\n}\n}\n}", s.AS.API.URL, s.Dir, former)
	s.Load(strings.TrimSuffix(s.Config(other, ""), "}") + crm)
	s.WantTakenSeed("tokens move erp")
	s.Adopt("erp", fmt.Sprintf(`{"store":%q}`, `{"path":"`+former+`","encryption_key":["`+s.Dir+`/key"]}`))
	moduletest.Eventually(t, "the client goes on", func() bool {
		res, _ := s.Do("GET", "/", "")
		return res.StatusCode == 200
	})
	if requests, spent, _ := s.AS.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
}
