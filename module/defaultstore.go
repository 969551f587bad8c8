package module

import (
	"encoding/json"
	"errors"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(new(DefaultStore))
}

// DefaultStore is what the Caddyfile's global option `oauth2_store` sets. In JSON, the
// app `oauth2_client` has the same field.
type DefaultStore struct {
	// Where the records of clients are kept that name no store. What the app
	// `oauth2_client` says itself holds first. Default: a file below Caddy's data
	// directory.
	Store json.RawMessage `json:"store,omitempty" caddy:"namespace=oauth2_client.stores inline_key=kind"`
}

// CaddyModule returns the Caddy module information.
func (*DefaultStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth2_client_store",
		New: func() caddy.Module { return new(DefaultStore) },
	}
}

// Start does nothing.
func (*DefaultStore) Start() error { return nil }

// Stop does nothing.
func (*DefaultStore) Stop() error { return nil }

// storeInGeneral returns the JSON of the store of clients that name none, nil if that is
// a file.
func (a *App) storeInGeneral(ctx caddy.Context) (json.RawMessage, error) {
	if a.Store != nil {
		return a.Store, nil
	}
	found, err := ctx.AppIfConfigured("oauth2_client_store")
	switch {
	case errors.Is(err, caddy.ErrNotConfigured):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return found.(*DefaultStore).Store, nil
}

// Interface guard
var _ caddy.App = (*DefaultStore)(nil)
