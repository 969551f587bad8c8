package module

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/settings"
)

// UnmarshalJSON reads the app. An error names the client and the setting.
func (a *App) UnmarshalJSON(text []byte) error {
	type plain App
	err := caddy.StrictUnmarshalJSON(text, (*plain)(a))
	if err == nil {
		return nil
	}
	var app struct {
		Clients map[string]json.RawMessage `json:"clients"`
	}
	if json.Unmarshal(text, &app) != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(app.Clients)) {
		if why := settings.ExplainJSON(app.Clients[name], settings.Client{}); why != nil {
			return fmt.Errorf("client %s: %w", name, why)
		}
	}
	if why := settings.ExplainJSON(text, plain{}); why != nil {
		return why
	}
	return err
}
