package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module"
	"lamplighter/module/command"
	"lamplighter/module/scratch"
)

// leaveNothing has Caddy's commands validate and adapt --validate write nothing to Caddy's
// storage. What Caddy validates is known when it has read the variables of --envfile and has
// adapted the file, so that an adapter of ours is put before its own.
func leaveNothing() {
	for _, cmd := range command.Root().Commands() {
		original := cmd.RunE
		switch cmd.Name() {
		case "validate":
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				lookAt(cmd, false)
				return original(cmd, args)
			}
		case "adapt":
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if asked, err := cmd.Flags().GetBool("validate"); err != nil || !asked {
					return original(cmd, args)
				}
				return adaptAndValidate(cmd, args, original)
			}
		}
	}
}

// adaptAndValidate has the adapted configuration printed as it is, and validates it then.
func adaptAndValidate(cmd *cobra.Command, args []string, adapt func(*cobra.Command, []string) error) error {
	adapted := lookAt(cmd, true)
	if adapted == nil {
		return adapt(cmd, args)
	}
	if err := cmd.Flags().Set("validate", "false"); err != nil {
		return err
	}
	if err := adapt(cmd, args); err != nil {
		return err
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
		var cfg *caddy.Config
		if err := caddy.StrictUnmarshalJSON(scratch.Config(adapted.config), &cfg); err != nil {
			return caddy.ExitCodeFailedStartup, fmt.Errorf("decoding config: %w", err)
		}
		if err := caddy.Validate(cfg); err != nil {
			return caddy.ExitCodeFailedStartup, fmt.Errorf("validation: %w", err)
		}
		return caddy.ExitCodeSuccess, nil
	})(cmd, args)
}

// adapter is what Caddy would adapt the configuration with, nil if it is JSON already.
type adapter struct {
	caddyconfig.Adapter
	printed bool   // by Caddy, so that nothing of ours may be in it
	config  []byte // as it was adapted
}

// looking ends the name of an adapter of ours.
const looking = " for validation"

// lookAt puts an adapter of ours before the one that a command has Caddy use, nil if there is
// no such one, which Caddy says itself.
func lookAt(cmd *cobra.Command, printed bool) *adapter {
	config, _ := cmd.Flags().GetString("config")
	name, _ := cmd.Flags().GetString("adapter")
	if name == "" && isCaddyfile(config) {
		name = "caddyfile"
	}
	a := &adapter{Adapter: caddyconfig.GetAdapter(name), printed: printed}
	if a.Adapter == nil && name != "" {
		return nil
	}
	if name == "" {
		name = "json"
	}
	name += looking
	caddyconfig.RegisterAdapter(name, a)
	module.Configuration(func() []string { return configured(cmd) })
	if cmd.Flags().Set("adapter", name) != nil {
		return nil
	}
	return a
}

// isCaddyfile is Caddy's rule about files for which no adapter is named.
func isCaddyfile(config string) bool {
	base := strings.ToLower(filepath.Base(config))
	return config == "" || filepath.Ext(base) != ".json" && (strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile"))
}

// Adapt returns the configuration with storages that keep nothing, or if Caddy prints it, as
// it is.
func (a *adapter) Adapt(body []byte, options map[string]any) ([]byte, []caddyconfig.Warning, error) {
	var warnings []caddyconfig.Warning
	if a.Adapter != nil {
		var err error
		if body, warnings, err = a.Adapter.Adapt(body, options); err != nil {
			return nil, warnings, err
		}
	} else if err := json.Unmarshal(body, new(any)); err != nil {
		return nil, nil, fmt.Errorf("config is not valid JSON: %w; did you mean to use a config adapter (the --adapter flag)?", err)
	}
	a.config = body
	if a.printed {
		return body, warnings, nil
	}
	return scratch.Config(caddy.RemoveMetaFields(body)), warnings, nil
}
