package module

import (
	"fmt"
	"os"

	"lamplighter/module/internal/store"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

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
