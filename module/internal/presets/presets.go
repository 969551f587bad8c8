// Package presets holds the presets: client settings for known token APIs, as
// data, one file each.
//
// A preset is JSON with the fields of an oauth2_client entry, in which {base}
// stands for the base URL that the user names, and a value "{required: …}" for one
// that the user must give. This package knows neither those fields nor OAuth:
// whoever loads a preset decodes it.
package presets

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"lamplighter/module/nearest"
)

//go:embed *.json
var presets embed.FS

const (
	placeholder = "{base}"
	required    = "{required: "
)

// Names lists the presets, sorted.
func Names() []string {
	files, _ := presets.ReadDir(".") // embedded
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(file.Name(), ".json")
	}
	return names
}

// Load returns the settings of a preset by field name. base is the absolute
// http(s) URL of the user's tenant, for presets that need one; a slash at its
// end does not matter. It fails if the preset is unknown, or base is missing, of
// no use or no such URL.
func Load(name, base string) (map[string]json.RawMessage, error) {
	text, err := presets.ReadFile(name + ".json")
	if err != nil {
		return nil, fmt.Errorf("provider %q is unknown%s: there is %s; any other API is described by its own settings, without a provider", name, nearest.Hint(name, Names()...), strings.Join(Names(), ", "))
	}
	preset := string(text)
	needsBase := strings.Contains(preset, placeholder)
	switch {
	case needsBase && base == "":
		return nil, fmt.Errorf("provider %s needs the base URL of your tenant: write 'provider %s https://…'", name, name)
	case !needsBase && base != "":
		return nil, fmt.Errorf("provider %s takes no base URL: write 'provider %s'", name, name)
	case needsBase:
		if err := checkBase(base); err != nil {
			return nil, fmt.Errorf("provider %s: %w", name, err)
		}
		quoted, _ := json.Marshal(strings.TrimRight(base, "/")) // a string
		preset = strings.ReplaceAll(preset, placeholder, strings.Trim(string(quoted), `"`))
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal([]byte(preset), &settings); err != nil {
		return nil, fmt.Errorf("provider %s: %w", name, err)
	}
	return settings, nil
}

func checkBase(base string) error {
	if strings.HasPrefix(base, "{") {
		return nil // a placeholder: whoever resolves it checks what it yields
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("the base URL %q is not absolute: write it with https://", base)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return fmt.Errorf("the base URL on %s must not have a user, query or fragment", u.Host)
	}
	return nil
}

// Required reports whether a value of a preset, text or a list, is one that the
// user must give, and says what it is.
func Required(value json.RawMessage) (what string, ok bool) {
	var list []string
	if json.Unmarshal(value, &list) != nil {
		list = make([]string, 1)
		if json.Unmarshal(value, &list[0]) != nil {
			return "", false
		}
	}
	if len(list) != 1 || !strings.HasPrefix(list[0], required) {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(list[0], required), "}"), true
}
