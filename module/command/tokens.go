// Package command answers what an operator can ask on the command line: `lamplighter tokens
// …` and `lamplighter doctor`, with their exit codes. It is a client of the admin API.
//
// It knows the types on that API's wire, terminals, and the browser that comes back from a
// log-in. It must not know apps, clients or settings, but for what a client may be called:
// where no instance runs, it has the app attend a client through an interface.
package command

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "tokens",
		Short:     "Shows and steers the access tokens that a running instance keeps fresh",
		CobraFunc: tokensCommand,
	})
}

// tokens is the command itself, since Caddy has made it.
var tokens *cobra.Command

// Root returns the command that the binary is, nil before Caddy has made it.
func Root() *cobra.Command { return tokens.Root() }

func tokensCommand(cmd *cobra.Command) {
	tokens = cmd
	cmd.Use, cmd.DisableFlagsInUseLine = "tokens", true // Caddy has put a blank after it
	cmd.Long = "\nShows and steers the access tokens that a running instance keeps fresh, over its\nadmin API. No secret is ever shown, but by print."
	cmd.Args, cmd.RunE = unknownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	connectionFlags(cmd)
	cmd.AddCommand(tokensListCommand(), tokensShowCommand(), tokensRefreshCommand(), tokensImportCommand(), tokensLoginCommand(), tokensRenameCommand(), tokensMoveCommand(), tokensObjectsCommand(), tokensRevokeCommand(), tokensStatusCommand(), tokensHealthCommand(), tokensPrintCommand())
}

// unknownCommand refuses what is no command of these, with those that look like it. Cobra
// itself prints the help instead, and succeeds.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		text += " (did you mean " + strings.Join(like, " or ") + "?)"
	}
	return errors.New(text)
}

// connectionFlags are those that lead to an instance.
func connectionFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().String("address", "", "admin address of the instance (default: its configuration's, else this binary's default)")
	cmd.PersistentFlags().StringP("config", "c", "", "configuration file to find the admin address in")
	cmd.PersistentFlags().StringP("adapter", "a", "", "configuration adapter")
	cmd.PersistentFlags().Bool("json", false, "print JSON")
}

// run makes a function the work of a command. Caddy's own wrapper takes an exit
// code of 1 without an error for success.
func run(f caddycmd.CommandFunc) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		code := healthy
		err := caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			var err error
			if code, err = f(fl); err != nil {
				err = explained(fl, err)
			}
			return code, err
		})(cmd, args)
		if code != healthy {
			cmd.SilenceErrors = true // Caddy has logged it, or there is nothing to add
		}
		if err == nil && code != healthy {
			return fmt.Errorf("exit code %d", code)
		}
		return err
	}
}

// explained is an error as it is printed, with the flags of the command in others' commands.
func explained(fl caddycmd.Flags, err error) error {
	text := redact.Text(err.Error())
	if _, complete := errors.AsType[otherUserError](err); complete {
		return errors.New(text)
	}
	return errors.New(adminapi.WithFlags(text, flagsOf(fl)))
}

func tokensListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Lists the clients, their tokens and states",
		Args:  cobra.NoArgs,
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			statuses, err := fetchClients(fl)
			if err != nil {
				return notReached, err
			}
			if fl.Bool("json") {
				return healthy, printJSON(os.Stdout, statuses)
			}
			return healthy, printClients(newTerminal(os.Stdout), statuses)
		}),
	}
}

func fetchClients(fl caddycmd.Flags) (statuses []adminapi.ClientStatus, err error) {
	api, err := newAdminClient(fl)
	if err != nil {
		return nil, err
	}
	return statuses, api.call(http.MethodGet, "/oauth2_client/clients", nil, &statuses)
}
