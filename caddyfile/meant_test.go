package caddyfile

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestAMisspeltDirectiveIsFound: Caddy's own words about it are what is read.
func TestAMisspeltDirectiveIsFound(t *testing.T) {
	const site, option = "http://127.0.0.1:1 {\n\tWORD erp\n}\n", "{\n\tWORD erp\n}\nhttp://127.0.0.1:1 {\n\trespond ok\n}\n"
	for _, c := range []struct{ config, word, meant string }{
		{site, "upstream_oaut", "upstream_oaut: did you mean upstream_oauth?"},
		{site, "upstream-oauth", "upstream-oauth: did you mean upstream_oauth?"},
		{"http://127.0.0.1:1 {\n\thandle /x {\n\t\tWORD erp\n\t}\n}\n", "serve_tokens", "serve_tokens: did you mean serve_token?"},
		{site, "inject_tokn", "inject_tokn: did you mean inject_token?"},
		{site, "oauth2_client", "oauth2_client is a global option: it belongs into the block without an address"},
		{site, "token_endpoint", "token_endpoint is a setting of a client"},
		{site, "reverse_proxi", ""},
		{option, "oauth2_clients", "oauth2_clients: did you mean oauth2_client?"},
		{option, "Oauth2-store", "Oauth2-store: did you mean oauth2_store?"},
		{option, "max_concurent_refreshes", "max_concurent_refreshes: did you mean max_concurrent_refreshes?"},
		{option, "upstream_oauth", "upstream_oauth is a directive: it belongs into the block of a site"},
		{option, "client_secret", "client_secret is a setting of a client"},
		{option, "storages", ""},
	} {
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.ReplaceAll(c.config, "WORD", c.word)), nil)
		if err == nil {
			t.Errorf("%s was accepted", c.word)
			continue
		}
		if got := Meant(err); got != c.meant && (c.meant == "" || !strings.HasPrefix(got, c.meant)) {
			t.Errorf("%v: got %q, want %q", err, got, c.meant)
		}
	}
	for _, known := range ourDirectives {
		if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.ReplaceAll(site, "WORD", known)), nil); err == nil || Meant(err) != "" {
			t.Errorf("%s: %v", known, err)
		}
	}
}
