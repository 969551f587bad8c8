package main

import (
	"os"
	"slices"

	"github.com/spf13/cobra"

	"lamplighter/module/command"
)

// description is what --help begins with.
const description = `Lamplighter is a sidecar that gives applications OAuth 2.0 access tokens without a
line of code in them. The application speaks plain HTTP to it; it proxies the call to
the API with a valid token, and refreshes that token before it expires. A rotating
refresh token is never lost by it.

It is Caddy (https://caddyserver.com) with modules of its own, so that Caddy's other
commands and its Caddyfile are here, too. Its documentation is in the folder docs of
its sources, and /usr/share/doc/lamplighter where a package installed it.
`

// examples are of what one does with it, in that order.
const examples = `  lamplighter demo                          # shows it at work, with servers of its own
  lamplighter validate --config Caddyfile   # finds every configuration error, and calls
                                            # nothing; with --no-secrets also where the
                                            # files and variables of secrets are not
  lamplighter run --config Caddyfile        # runs it in the foreground
  lamplighter doctor                        # examines everything, step by step
  lamplighter tokens login erp              # gives the client erp its first refresh token
  lamplighter tokens list                   # what the clients of the running instance have
  lamplighter tokens show erp               # all about one, and what is to be done
  lamplighter reload --config Caddyfile     # takes over a changed configuration`

// footer replaces Caddy's, which points to a page without our commands.
const footer = `
Caddy's commands are described at https://caddyserver.com/docs/command-line
`

// groups are the commands that the help lists first; all others come after them.
var groups = []struct {
	title    string
	commands []string
}{
	{"Lamplighter's commands:", []string{"demo", "doctor", "tokens"}},
	{"Caddy's commands, by which a sidecar runs:", []string{"adapt", "fmt", "reload", "run", "start", "stop", "validate"}},
	{"Caddy's other commands:", nil},
}

// helpAsked has every way to ask for a help that is not Caddy's lead to the command help,
// before which [ownHelp] is called: for the whole binary, and for validate, which has a flag
// of ours.
func helpAsked(args []string) []string {
	asks := func(arg string) bool { return arg == "--help" || arg == "-h" }
	switch {
	case len(args) == 1, len(args) == 2 && asks(args[1]):
		return []string{args[0], "help"}
	case args[1] == "validate" && slices.ContainsFunc(args, asks):
		return []string{args[0], "help", "validate"}
	}
	return args
}

// ownHelp makes of Caddy's help, and of the manual that is made of it, that of this binary.
func ownHelp() {
	root := command.Root()
	root.Example = examples
	root.SetHelpTemplate(cobraHelp + footer)
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
	}
	for _, cmd := range root.Commands() {
		for _, g := range groups {
			if g.commands == nil || slices.Contains(g.commands, cmd.Name()) {
				cmd.GroupID = g.title
				break
			}
		}
		if cmd.Name() == "validate" {
			cmd.Flags().Bool(noSecrets[2:], false, "accept that files and variables of secrets are not there; name them, and check the rest")
		}
		cmd.Hidden = cmd.Hidden || slices.Contains(unable, cmd.Name())
	}
	root.Short = "gives applications OAuth 2.0 access tokens"
	if len(os.Args) > 1 && os.Args[1] == "manpage" {
		ownManual(root)
	}
}

// cobraHelp is cobra's own template, without what Caddy has added.
var cobraHelp = new(cobra.Command).HelpTemplate()
