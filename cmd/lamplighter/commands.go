package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/placeholder"
	"lamplighter/module/service"
)

// unable are commands of Caddy that cannot work here.
var unable = []string{"upgrade", "add-package", "remove-package"}

// impossible answers commands of Caddy that cannot work here: they would fetch a binary
// without the modules of Lamplighter.
func impossible(args []string) (answer string, ok bool) {
	if len(args) < 2 || !slices.Contains(unable, args[1]) {
		return "", false
	}
	return fmt.Sprintf("%s cannot work: it would replace this binary by one from Caddy's download page, without lamplighter's modules; install another version as this one was installed (docs/install.md), and build with other modules by xcaddy", args[1]), true
}

// noSecrets is the flag that this binary adds to Caddy's command validate.
const noSecrets = "--no-secrets"

// ownFlags takes the flags out that Caddy's commands do not have: 'validate --no-secrets',
// which lets files and variables of secrets be absent. Nothing but validate may.
func ownFlags(args []string) []string {
	if len(args) < 2 || args[1] != "validate" {
		_ = os.Unsetenv(placeholder.NoSecrets) // of a name without faults
		return args
	}
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == noSecrets })
	if len(rest) < len(args) {
		_ = os.Setenv(placeholder.NoSecrets, "1")
	}
	return rest
}

// serviceOf is service.Elsewhere, but in tests.
var serviceOf = service.Elsewhere

// validatedElsewhere is what to know of a validation by another user than the service's, or with
// other data, "" if there is nothing: what this user can read, and which variables it has, says little of
// what the service can and has.
func validatedElsewhere(args []string) string {
	if len(args) < 2 || args[1] != "validate" {
		return ""
	}
	s := serviceOf(cmp.Or(service.Config(args), "Caddyfile"))
	if s == nil {
		return ""
	}
	warning := s.Who() + ", and this is validated as " + service.Me() + " with the data in " + caddy.AppDataDir() + ", who may be able to read other files of secrets, and has other variables"
	if command := s.Command(args[1:]); command != "" {
		warning += "; as the service would: " + command
	}
	return warning
}
