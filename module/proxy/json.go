package proxy

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/settings"
)

// UnmarshalJSON reads the transport. An error names the client and the setting.
func (t *Transport) UnmarshalJSON(text []byte) error {
	type plain Transport
	err := caddy.StrictUnmarshalJSON(text, (*plain)(t))
	if err == nil {
		return nil
	}
	var transport struct {
		Client string          `json:"client"`
		Config json.RawMessage `json:"config"`
	}
	if json.Unmarshal(text, &transport) != nil {
		return err
	}
	if len(transport.Config) > 0 {
		if why := settings.ExplainJSON(transport.Config, settings.Client{}); why != nil {
			return fmt.Errorf("client %s: config: %w", transport.Client, why)
		}
	}
	if why := settings.ExplainJSON(text, plain{}); why != nil {
		return fmt.Errorf("client %s: %w", transport.Client, why)
	}
	return err
}
