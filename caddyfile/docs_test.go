package caddyfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var caddyfileBlock = regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$")

// TestEveryCaddyfileWeShowAdaptsAndIsFormatted reads the README, the docs and
// the examples as a user would copy them.
func TestEveryCaddyfileWeShowAdaptsAndIsFormatted(t *testing.T) {
	shown := make(map[string]string)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "lamplighter-demo" || strings.HasPrefix(entry.Name(), ".") && path != "..") {
			return filepath.SkipDir
		}
		if entry.Name() != "Caddyfile" && filepath.Ext(path) != ".md" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if entry.Name() == "Caddyfile" {
			shown[path] = string(content)
		}
		for i, block := range caddyfileBlock.FindAllStringSubmatch(string(content), -1) {
			shown[path+"#"+string(rune('1'+i))] = block[1]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(shown) < 5 {
		t.Fatalf("only %d Caddyfiles found", len(shown))
	}
	for where, config := range shown {
		t.Run(where, func(t *testing.T) {
			if formatted := string(caddyfile.Format([]byte(config))); strings.TrimSpace(formatted) != strings.TrimSpace(config) {
				t.Errorf("it is not formatted; want:\n%s", formatted)
			}
			if _, err := adapt(config); err != nil {
				t.Error(err)
			}
		})
	}
}
