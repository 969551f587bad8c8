package scratch

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/caddyserver/certmagic"
)

// storageModule is the storage of a configuration that is looked at.
type storageModule struct {
	// What is configured, null for Caddy's default.
	StorageRaw json.RawMessage `json:"storage,omitempty" caddy:"namespace=caddy.storage inline_key=module"`

	configured certmagic.Storage
}

// CaddyModule returns the Caddy module information.
func (*storageModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage." + name, New: func() caddy.Module { return new(storageModule) }}
}

// Provision loads what is configured.
func (m *storageModule) Provision(ctx caddy.Context) error {
	m.configured = caddy.DefaultStorage
	if len(m.StorageRaw) == 0 || string(m.StorageRaw) == "null" {
		return nil
	}
	loaded, err := ctx.LoadModule(m, "StorageRaw")
	if err != nil {
		return err
	}
	converter, ok := loaded.(caddy.StorageConverter)
	if !ok {
		return fmt.Errorf("%T is no storage", loaded)
	}
	m.configured, err = converter.CertMagicStorage()
	return err
}

// CertMagicStorage returns the storage.
func (m *storageModule) CertMagicStorage() (certmagic.Storage, error) {
	return &Storage{configured: m.configured, written: make(map[string]value)}, nil
}

// writerModule writes a log to standard error, and opens nothing.
type writerModule struct {
	caddy.StderrWriter

	// What is configured.
	WriterRaw json.RawMessage `json:"writer,omitempty" caddy:"namespace=caddy.logging.writers inline_key=output"`

	// Filename is the file that it would be written to, "" if that is none.
	Filename string `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*writerModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers." + name, New: func() caddy.Module { return new(writerModule) }}
}

// Provision loads what is configured.
func (w *writerModule) Provision(ctx caddy.Context) error {
	loaded, err := ctx.LoadModule(w, "WriterRaw")
	if file, ok := loaded.(*logging.FileWriter); ok {
		w.Filename = file.Filename
	}
	return err
}

// Interface guards
var (
	_ caddy.Provisioner      = (*storageModule)(nil)
	_ caddy.StorageConverter = (*storageModule)(nil)
	_ caddy.Provisioner      = (*writerModule)(nil)
	_ caddy.WriterOpener     = (*writerModule)(nil)
)
