package demo_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	_ "lamplighter"
	"lamplighter/module/demo"
)

func TestCaddyfileOfTheDemoIsFormattedAndAdapts(t *testing.T) {
	for name, config := range map[string]string{
		"as by default":          demo.Caddyfile("127.0.0.1:8080", "127.0.0.1:9801", "127.0.0.1:9802", "/tmp/demo"),
		"a directory with space": demo.Caddyfile("127.0.0.1:8080", "127.0.0.1:9801", "127.0.0.1:9802", "/tmp/my demo"),
		"with proofs":            demo.ProvingCaddyfile("127.0.0.1:8080", "127.0.0.1:9801", "127.0.0.1:9802", "/tmp/demo"),
		"IPv6":                   demo.Caddyfile("[::1]:8080", "[::1]:9801", "[::1]:9802", "/tmp/demo"),
	} {
		t.Run(name, func(t *testing.T) {
			if formatted := string(caddyfile.Format([]byte(config))); formatted != config {
				t.Errorf("not formatted; want:\n%s", formatted)
			}
			out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v %v", err, warnings)
			}
			var cfg caddy.Config
			if err := caddy.StrictUnmarshalJSON(out, &cfg); err != nil {
				t.Fatal(err)
			}
			var apps struct {
				Apps struct {
					HTTP struct {
						Servers map[string]struct{ Listen []string }
					}
				}
			}
			if err := json.Unmarshal(out, &apps); err != nil {
				t.Fatal(err)
			}
			for _, server := range apps.Apps.HTTP.Servers {
				for _, address := range server.Listen {
					if !strings.HasPrefix(address, "127.0.0.1:") && !strings.HasPrefix(address, "[::1]:") {
						t.Errorf("it listens on %s", address)
					}
				}
			}
		})
	}
}
