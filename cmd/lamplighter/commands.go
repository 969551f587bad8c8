package main

import (
	"fmt"
	"os"
	"slices"

	"lamplighter/module/placeholder"
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

// ownFlags takes the flags out that Caddy's commands do not have: 'validate --no-secrets',
// which lets files and variables of secrets be absent. Nothing but validate may.
func ownFlags(args []string) []string {
	if len(args) < 2 || args[1] != "validate" {
		_ = os.Unsetenv(placeholder.NoSecrets) // of a name without faults
		return args
	}
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--no-secrets" })
	if len(rest) < len(args) {
		_ = os.Setenv(placeholder.NoSecrets, "1")
	}
	return rest
}
