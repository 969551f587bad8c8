package caddyfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Whatever is in the blocks, adapting ends with an error that shows no secret, or
// with JSON that the modules accept.
func FuzzBlocks(f *testing.F) {
	f.Add("token_endpoint https://a.example/token\nclient_id a\nclient_secret s3cret", "callers private_ranges\nallow_host a.b")
	f.Add("provider tencent_eiam https://a.example\nclient_id a\nclient_secret {file.x}\nrefresh_token {$X}", "caller_secret s3cret\nallow_insecure_tls")
	f.Add("param_names {\na b\n}\ntls {\ntrust_pool file a\n}\nstore file {\npath /a\n}", "transport http {\ntls\nversions h2c\n}\nlb_policy first")
	f.Add("inject header Authorization \"Bearer {access_token}\"\nrefresh_window_ratio 1/0\nreplay_buffer 1EB", "transport fastcgi {\nroot /\n}")
	files, _ := filepath.Glob("testdata/*/*.caddyfiletest")
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		config, _, _ := strings.Cut(string(content), separator)
		if _, block, found := strings.Cut(config, " {\n"); found {
			f.Add(block, block)
		}
	}
	f.Fuzz(func(t *testing.T, settings, subdirectives string) {
		if strings.Contains(settings+subdirectives, "import") {
			t.Skip("other files are not ours")
		}
		for _, config := range []string{
			":80 {\nupstream_oauth https://b.example {\nclient erp {\n" + settings + "\n}\n" + subdirectives + "\n}\n}\n",
			"{\noauth2_client erp {\n" + settings + "\n}\n}\n:80 {\nreverse_proxy b {\ntransport oauth2 erp {\n" + subdirectives + "\n}\n}\n}\n",
		} {
			got, err := adapt(config)
			if err != nil {
				if strings.Contains(err.Error(), "client_secret s3cret") {
					t.Errorf("a secret in: %v", err)
				}
				continue
			}
			var cfg caddy.Config
			if err := caddy.StrictUnmarshalJSON([]byte(got), &cfg); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		}
	})
}
