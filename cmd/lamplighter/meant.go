package main

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"lamplighter/caddyfile"
	"lamplighter/module/command"
)

// sayWhatWasMeant has Caddy's commands that read a Caddyfile say, after Caddy's own words about
// a directive or option that it does not know, which one of ours may have been meant.
func sayWhatWasMeant() {
	for _, cmd := range command.Root().Commands() {
		if !slices.Contains([]string{"adapt", "reload", "run", "validate"}, cmd.Name()) {
			continue
		}
		original := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := original(cmd, args)
			if err == nil {
				return nil
			}
			if meant := caddyfile.Meant(err); meant != "" {
				caddy.Log().Error(meant)
			}
			return err
		}
	}
}
