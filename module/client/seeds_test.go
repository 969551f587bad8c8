package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
)

// Fault B14.
func TestASeedIsCheckedLikeAnImport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed")
	settings := settingsOf("erp")
	settings.RefreshToken = "{file." + file + "}"
	supply := func(seed string) {
		if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	supply("a seed\nxyzzy")
	c, err := newClient(caddy.Context{Context: t.Context()}, nil, "erp", settings)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := c.suppliedSeed()
	if _, odd := errors.AsType[adminapi.TokenError](err); seed != "" || !odd || strings.Contains(err.Error(), "xyzzy") {
		t.Errorf("got %q, %v", seed, err)
	}
	supply("\ufeffa seed \r\n")
	if seed, err := c.suppliedSeed(); seed != "a seed" || err != nil {
		t.Errorf("got %q, %v", seed, err)
	}
}
