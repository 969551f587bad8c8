// Command lamplighter is Caddy with the modules of Lamplighter: a sidecar that
// puts OAuth 2.0 access tokens into the requests of applications that know
// nothing of them.
package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/listen"
)

func main() {
	if answer, ok := impossible(os.Args); ok {
		fmt.Fprintln(os.Stderr, "lamplighter: "+answer)
		os.Exit(1)
	}
	if err := protectMemory(); err != nil {
		fmt.Fprintf(os.Stderr, "lamplighter: a core dump of this process would hold secrets: %v\n", err)
	}
	if warning := validatedElsewhere(os.Args); warning != "" {
		fmt.Fprintln(os.Stderr, "lamplighter: "+warning)
	}
	os.Args = helpAsked(ownFlags(os.Args))
	cobra.OnInitialize(ownHelp, leaveNothing, serveHere, sayWhatWasMeant)
	caddy.CustomBinaryName = cmp.Or(caddy.CustomBinaryName, "lamplighter")
	caddy.CustomLongDescription = description
	serves := len(os.Args) > 1 && (os.Args[1] == "run" || os.Args[1] == "start")
	adminSocket(serves)
	if serves {
		leaveRoom()
	}
	if serves && os.Getenv(listen.SharePorts) != "1" {
		listen.Alone()
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		if err := relayReadiness(); err != nil {
			fmt.Fprintf(os.Stderr, "lamplighter: systemd is told by Caddy itself, of a start that fails too: %v\n", err)
		}
	}
	caddycmd.Main()
}
