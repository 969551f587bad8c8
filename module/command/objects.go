package command

import (
	"fmt"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
)

func tokensObjectsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "objects --config <file>",
		Short: "Prints what the stores of a configuration need",
		Long: `
Prints what has to be made for the stores of a configuration before its clients can
use them: of 'store kubernetes' the Role and, with 'objects named', the Secrets and
Leases, as JSON for 'kubectl apply -f -'. Nothing is asked, written or started.

Exit codes: 0 it was printed, or there is nothing to make, 1 the configuration
cannot be read.`,
		Args: cobra.NoArgs,
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			app, _, err := configuredApp(fl)
			if err != nil {
				return tokenMissing, err
			}
			for _, text := range app.(adminapi.Preparer).StoreObjects() {
				fmt.Fprintln(os.Stdout, text)
			}
			return healthy, nil
		}),
	}
}
