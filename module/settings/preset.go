package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/presets"
)

// overPreset lays the settings over those of the provider. A preset is JSON of
// client settings, so laying over is replacing members.
func (c *Client) overPreset() (*Client, error) {
	preset, err := presets.Load(c.Provider, c.ProviderBase)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(text, &own); err != nil {
		return nil, err
	}
	merged := layOver(preset, own)
	if err := missing(c.Provider, merged); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(merged); err != nil {
		return nil, err
	}
	e := new(Client)
	if err := caddy.StrictUnmarshalJSON(text, e); err != nil {
		return nil, fmt.Errorf("provider %s: %w", c.Provider, err)
	}
	return e, nil
}

// layOver replaces members. What is an object on both sides, as param is, is laid
// over member by member: one more parameter does not drop those of the preset.
func layOver(preset, own map[string]json.RawMessage) map[string]json.RawMessage {
	merged := maps.Clone(preset)
	for setting, value := range own {
		var below, above map[string]json.RawMessage
		if json.Unmarshal(merged[setting], &below) == nil && json.Unmarshal(value, &above) == nil {
			if setting == "header" {
				maps.DeleteFunc(below, func(name string, _ json.RawMessage) bool { return hasFold(above, name) })
			}
			maps.Copy(below, above)
			value, _ = json.Marshal(below) // of what was JSON
		}
		merged[setting] = value
	}
	return merged
}

func hasFold(object map[string]json.RawMessage, name string) bool {
	for key := range object {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// missing finds a value that the preset leaves to the user. It returns the same
// one each time.
func missing(preset string, settings map[string]json.RawMessage) error {
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		var object map[string]json.RawMessage
		if json.Unmarshal(settings[setting], &object) != nil {
			if what, ok := presets.Required(settings[setting]); ok {
				return fmt.Errorf("%s is missing: provider %s needs %s: add '%s <value>'", setting, preset, what, setting)
			}
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if what, ok := presets.Required(object[name]); ok {
				return fmt.Errorf("%s %s is missing: provider %s needs %s: add '%s %s <value>'", setting, name, preset, what, setting, name)
			}
		}
	}
	return nil
}
