package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"lamplighter/module"
	"lamplighter/module/command"
	"lamplighter/module/records"
	"lamplighter/module/service"
)

// serveHere has the command run say which configuration this process serves, and whose spent
// refresh tokens it is not to present. What start starts is run.
func serveHere() {
	for _, cmd := range command.Root().Commands() {
		if cmd.Name() != "run" {
			continue
		}
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			module.Serve(served(cmd))
			if s := service.Beside(); s != nil { // a copy of its configuration is another one
				records.Beside(s.Data)
			}
			return run(cmd, args)
		}
	}
}

// served is the file of the configuration that a command runs, "" if nobody knows: what is
// resumed says itself where it was declared.
func served(cmd *cobra.Command) string {
	config, _ := cmd.Flags().GetString("config") // all have the flag
	if resume, _ := cmd.Flags().GetBool("resume"); config == "" && !resume {
		config = "Caddyfile"
	}
	if config == "" || config == "-" {
		return ""
	}
	absolute, err := filepath.Abs(config)
	if err != nil {
		return ""
	}
	return absolute
}
