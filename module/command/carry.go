package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/settings"
)

const carryExitCodes = `
Exit codes: 0 the grant was carried over, now or before, 1 it was not, and nothing
was changed, 3 no instance answers, and there is no --config. A command that was
interrupted is repeated.`

func tokensRenameCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rename <old> <new>",
		Short: "Carries a grant over to the new name of its client",
		Long: `
Carries the grant of the client that was called <old> over to the client <new>:
refresh token, access token and what is known of spent ones. First change the
configuration and reload it; the client then says seed_of_another_record, spends
nothing, and goes on without a restart when this command has ended.

If the store was changed too, --from names the former one: the directory of its
records, or the JSON of a store.

The running instance does it. If none runs, this command reads the configuration
that --config names, as the user that the service runs as.
` + carryExitCodes,
		Args: cobra.ExactArgs(2),
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			return adoptCommand(fl, fl.Arg(1), adminapi.AdoptRequest{Client: fl.Arg(0), Store: absolute(fl.String("from"))})
		}),
	}
	cmd.Flags().String("from", "", "the former store, if that was changed too")
	allowThisUser(cmd)
	return cmd
}

func tokensMoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "move <client> --from <store> | --to <store>",
		Short: "Carries a grant over from or to another store",
		Long: `
Carries the grant of a client over from another store to that of the configuration,
or from there to another one. A store is the directory of its records, or the JSON
of a store. Usually the configuration is changed and reloaded first: the client then
says seed_of_another_record, spends nothing, and goes on without a restart when
'move --from' has ended.

The running instance does it. If none runs, this command reads the configuration
that --config names, as the user that the service runs as; --to is only for then, because a running client would lose its
grant.
` + carryExitCodes,
		Args: cobra.ExactArgs(1),
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			if to := fl.String("to"); to != "" {
				return moveAway(fl, absolute(to))
			}
			return adoptCommand(fl, fl.Arg(0), adminapi.AdoptRequest{Store: absolute(fl.String("from"))})
		}),
	}
	cmd.Flags().String("from", "", "the store that the grant is in")
	cmd.Flags().String("to", "", "the store that it is to be in")
	allowThisUser(cmd)
	cmd.MarkFlagsOneRequired("from", "to")
	cmd.MarkFlagsMutuallyExclusive("from", "to")
	return cmd
}

// absolute makes the directory of a store one that the instance finds, too.
func absolute(named string) string {
	if named == "" || named[0] == '{' {
		return named
	}
	if dir, err := filepath.Abs(named); err == nil {
		return dir
	}
	return named
}

// adoptCommand lets a client take over the grant of another record.
func adoptCommand(fl caddycmd.Flags, name string, req adminapi.AdoptRequest) (int, error) {
	for _, named := range []string{name, req.Client} {
		if err := settings.CheckName(named); named != "" && err != nil {
			return tokenMissing, err
		}
	}
	var result adminapi.AdoptResult
	unreached, err := tryInstance(fl, http.MethodPost, name, "/adopt", req, &result)
	if unreached == nil {
		return reportCarried(fl, &result, err)
	}
	ctx := context.Background()
	c, code, err := configuredClient(ctx, fl, name, unreached)
	if err != nil {
		return code, err
	}
	defer c.Close()
	done, err := c.Adopt(ctx, req)
	return reportCarried(fl, done, err)
}

// moveAway carries the grant of a client that does not run over to another store.
func moveAway(fl caddycmd.Flags, named string) (int, error) {
	name := fl.Arg(0)
	if err := settings.CheckName(name); err != nil {
		return tokenMissing, err
	}
	var s adminapi.ClientStatus
	unreached, err := tryInstance(fl, http.MethodGet, name, "", nil, &s)
	if unreached == nil {
		if err == nil {
			err = fmt.Errorf("client %s is running, and would lose its grant: let its configuration name the new store, reload it, and run 'lamplighter tokens move %[1]s --from %s'", name, redact.Quoted(cmp.Or(s.Store, filepath.Dir(s.Record))))
		}
		return tokenMissing, err
	}
	ctx := context.Background()
	c, code, err := configuredClient(ctx, fl, name, unreached)
	if err != nil {
		return code, err
	}
	defer c.Close()
	done, err := c.MoveTo(ctx, named)
	return reportCarried(fl, done, err)
}

// tryInstance asks the running instance, if there is one.
func tryInstance(fl caddycmd.Flags, method, name, action string, body, into any) (unreached *notReachedError, err error) {
	api, err := newAdminClient(fl)
	if err == nil {
		err = api.call(method, "/oauth2_client/clients/"+url.PathEscape(name)+action, body, into)
	}
	unreached, _ = errors.AsType[*notReachedError](err)
	return unreached, err
}

// configuredClient is the client of a configuration that is named, for want of an
// instance. It does nothing by itself, and is to be closed.
func configuredClient(ctx context.Context, fl caddycmd.Flags, name string, unreached error) (adminapi.Attended, int, error) {
	if fl.String("config") == "" {
		return nil, notReached, fmt.Errorf("%w; without it, name the configuration with --config", unreached)
	}
	c, err := attend(ctx, fl, name)
	return c, tokenMissing, err
}

func reportCarried(fl caddycmd.Flags, done *adminapi.AdoptResult, err error) (int, error) {
	if err != nil {
		return tokenMissing, err
	}
	if fl.Bool("json") {
		return healthy, printJSON(os.Stdout, done)
	}
	fmt.Fprintf(newTerminal(os.Stdout), "%s: the grant was carried over from %s to %s\n", done.Client, done.From, done.Record)
	return healthy, nil
}
