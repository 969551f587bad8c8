package records

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/store"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// Place is where settings put records, and what those are encrypted with.
type Place struct {
	dir  string
	keys *store.Keys // nil if they are not encrypted
}

// PlaceOf returns the place that settings name, which are nil for the default one.
func PlaceOf(cfg *settings.StoreConfig) (p Place, err error) {
	if p.dir, err = directory(cfg); err != nil {
		return Place{}, err
	}
	if p.keys, err = encryptionKeys(cfg); err != nil {
		return Place{}, err
	}
	return p, nil
}

// directory returns the directory that settings name for records.
func directory(cfg *settings.StoreConfig) (string, error) {
	dir := filepath.Join(caddy.AppDataDir(), "oauth2_client")
	if cfg != nil && cfg.Path != "" {
		var r placeholder.Resolver
		dir = r.Value("store path", cfg.Path)
		if r.Err != nil {
			return "", r.Err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return dir, nil
}

// encryptionKeys reads the keys of records, nil if they are not encrypted.
func encryptionKeys(cfg *settings.StoreConfig) (*store.Keys, error) {
	if cfg == nil || len(cfg.EncryptionKey) == 0 {
		return nil, nil
	}
	files := make([][]byte, 0, len(cfg.EncryptionKey))
	for _, path := range cfg.EncryptionKey {
		var r placeholder.Resolver
		if path = r.Value("encryption_key", path); r.Err != nil {
			return nil, r.Err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("encryption_key: %w", err)
		}
		files = append(files, content)
	}
	keys, err := store.ParseKeys(files...)
	if err != nil {
		return nil, fmt.Errorf("encryption_key: %w", err)
	}
	return keys, nil
}
