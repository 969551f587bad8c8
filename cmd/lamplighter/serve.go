package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
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
			module.Configuration(func() []string { return configured(cmd) })
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

// configured are the files that the configuration of a command is in: the one that it names,
// and what that imports, if it is a Caddyfile.
func configured(cmd *cobra.Command) []string {
	file := served(cmd)
	if file == "" {
		return nil
	}
	files := []string{file}
	if name, _ := cmd.Flags().GetString("adapter"); name != "caddyfile" && name != "caddyfile"+looking && !(name == "" && isCaddyfile(file)) {
		return files
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return files
	}
	blocks, err := caddyfile.Parse(file, text)
	if err != nil {
		return files
	}
	for _, block := range blocks {
		for _, tokens := range append([]caddyfile.Segment{block.Keys}, block.Segments...) {
			for _, token := range tokens {
				if token.File != files[len(files)-1] {
					files = append(files, token.File)
				}
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}
