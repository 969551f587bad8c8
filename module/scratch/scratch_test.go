package scratch_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	"github.com/caddyserver/certmagic"

	"lamplighter/module/scratch"
)

// opened is the storage of a configuration that is looked at.
func opened(t *testing.T, config string) certmagic.Storage {
	t.Helper()
	cfg := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(scratch.Config([]byte(config)), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ctx.Storage()
}

func TestAStorageIsReadAndNotWritten(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	for _, key := range []string{"a/kept", "a/deleted"} {
		if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, key), []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := opened(t, `{"storage": {"module": "file_system", "root": "`+dir+`"}}`)
	if text, err := s.Load(ctx, "a/kept"); string(text) != "before" || err != nil {
		t.Errorf("what was there is %q (%v)", text, err)
	}
	if err := errors.Join(s.Lock(ctx, "a"), s.Store(ctx, "a/b/new", []byte("one")), s.Store(ctx, "a/kept", []byte("after")), s.Delete(ctx, "a/deleted"), s.Unlock(ctx, "a")); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a/b/new": "one", "a/kept": "after"} {
		text, err := s.Load(ctx, key)
		if string(text) != want || err != nil {
			t.Errorf("%s is %q (%v)", key, text, err)
		}
		if info, err := s.Stat(ctx, key); err != nil || info.Size != int64(len(want)) || !info.IsTerminal {
			t.Errorf("%s is described as %+v (%v)", key, info, err)
		}
	}
	for _, key := range []string{"a/deleted", "a/never"} {
		if _, err := s.Load(ctx, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := s.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for key, want := range map[string]bool{"a": true, "a/b": true, "a/b/new": true, "a/kept": true, "a/deleted": false, "a/never": false} {
		if s.Exists(ctx, key) != want {
			t.Errorf("%s: %v is wanted", key, want)
		}
	}
	for recursive, want := range map[bool][]string{true: {"a/b/new", "a/kept"}, false: {"a/b", "a/kept"}} {
		if keys, err := s.List(ctx, "a", recursive); err != nil || !reflect.DeepEqual(keys, want) {
			t.Errorf("below a are %q (%v)", keys, err)
		}
	}
	if _, err := s.List(ctx, "nowhere", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below nowhere: %v", err)
	}
	if err := s.Delete(ctx, "a"); err != nil || s.Exists(ctx, "a/b/new") || s.Exists(ctx, "a/kept") {
		t.Errorf("below what was deleted is something (%v)", err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a", "kept")); string(text) != "before" || err != nil {
		t.Errorf("the file has %q (%v)", text, err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*", "*")); len(names) != 2 || err != nil {
		t.Errorf("there are %q (%v)", names, err)
	}
}

func TestTheStorageInGeneralIsCaddysOwn(t *testing.T) {
	for _, config := range []string{`{}`, `{"storage": null}`} {
		if got := opened(t, config).(*scratch.Storage).Configured(); got != certmagic.Storage(caddy.DefaultStorage) {
			t.Errorf("%s: it reads %v", config, got)
		}
	}
}

// Caddy says what is wrong with it.
func TestWhatIsNoConfigurationStaysAsItIs(t *testing.T) {
	for _, text := range []string{``, `[]`, `null`, `{"storage":`, `"x"`} {
		if got := string(scratch.Config([]byte(text))); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	const odd = `{"apps":{"pki":{"certificate_authorities":{"local":7}}},"storage":{"module":"looked_at"}}`
	if got := string(scratch.Config([]byte(`{"apps":{"pki":{"certificate_authorities":{"local":7}}}}`))); got != odd {
		t.Errorf("it became %s", got)
	}
}
