package caddyfile_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/logging"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/forwardauth"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"
	_ "github.com/caddyserver/caddy/v2/modules/metrics"

	_ "lamplighter/caddyfile"
	_ "lamplighter/module"
	_ "lamplighter/module/store/kubernetes"
	_ "lamplighter/module/store/postgres"
	_ "lamplighter/module/store/redis"
)

var update = flag.Bool("update", false, "write the golden files anew")

const separator = "\n----------\n"

// adapt turns a Caddyfile into indented JSON, as `caddy adapt --pretty` does.
func adapt(config string) (string, error) {
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	var pretty bytes.Buffer
	err = json.Indent(&pretty, out, "", "\t")
	return pretty.String(), err
}

// golden runs a check over the files of a folder, each a Caddyfile and, behind
// the separator, what it becomes.
func golden(t *testing.T, folder string, check func(t *testing.T, config string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.caddyfiletest"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config, want, _ := strings.Cut(string(content), separator)
			got := check(t, config)
			if *update {
				if err := os.WriteFile(file, []byte(config+separator+got+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != strings.TrimSuffix(want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestCaddyfileBecomesJSON(t *testing.T) {
	golden(t, "adapt", func(t *testing.T, config string) string {
		if formatted := string(caddyfile.Format([]byte(config))); strings.TrimSpace(formatted) != strings.TrimSpace(config) {
			t.Errorf("the Caddyfile is not formatted; want:\n%s", formatted)
		}
		got, err := adapt(config)
		if err != nil {
			t.Fatal(err)
		}
		// What was adapted must be a configuration that the modules accept.
		var cfg caddy.Config
		if err := caddy.StrictUnmarshalJSON([]byte(got), &cfg); err != nil {
			t.Fatal(err)
		}
		return got
	})
}

func TestBadCaddyfileIsRefusedWithPlaceClientAndRemedy(t *testing.T) {
	golden(t, "bad", func(t *testing.T, config string) string {
		_, err := adapt(config)
		if err == nil {
			t.Fatal("it was accepted")
		}
		if !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("no file and line in: %v", err)
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("a secret in: %v", err)
		}
		return err.Error()
	})
}
