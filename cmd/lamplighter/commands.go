package main

import (
	"fmt"
	"os"
	"slices"

	"lamplighter/module/placeholder"
)

// description is what --help begins with.
const description = `Lamplighter is a sidecar that gives applications OAuth 2.0 access tokens without a
line of code in them. The application speaks plain HTTP to it; it proxies the call to
the API with a valid token, and refreshes that token before it expires. A rotating
refresh token is never lost by it.

  lamplighter demo                          shows it at work, with servers of its own
  lamplighter validate --config Caddyfile   finds every configuration error, and calls
                                            nothing; with --no-secrets also where the
                                            files and variables of secrets are not
  lamplighter run --config Caddyfile        runs it in the foreground
  lamplighter reload --config Caddyfile     takes over a changed configuration
  lamplighter tokens list                   what the clients of the running instance have
  lamplighter tokens login <client>         gives a client its first refresh token
  lamplighter doctor                        examines everything, step by step

It is Caddy (https://caddyserver.com) with modules of its own, so that Caddy's other
commands and its Caddyfile are here, too. Its documentation is in the folder docs of
its sources, and /usr/share/doc/lamplighter where a package installed it.
`

// impossible answers commands of Caddy that cannot work here: they would fetch a binary
// without the modules of Lamplighter.
func impossible(args []string) (answer string, ok bool) {
	if len(args) < 2 || !slices.Contains([]string{"upgrade", "add-package", "remove-package"}, args[1]) {
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
