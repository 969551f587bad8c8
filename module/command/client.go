package command

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lamplighter/module/adminapi"
	"lamplighter/module/condition"
	"lamplighter/module/settings"
)

func tokensShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show <client>",
		Short: "Shows everything about a client: state, cause, remedy and its last events",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			var s adminapi.ClientStatus
			if code, err := callClient(fl, http.MethodGet, "", nil, &s); err != nil {
				return code, err
			}
			if fl.Bool("json") {
				return healthy, printJSON(os.Stdout, s)
			}
			return healthy, printClient(newTerminal(os.Stdout), s)
		}),
	}
}

func tokensRefreshCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "refresh <client>",
		Short: "Obtains a new access token now",
		Long: `
Obtains a new access token now and waits for the outcome, whatever the schedule,
min_refresh_interval and the pause after failures say. If the authorization
server named a time to wait (Retry-After), only --force asks before that.

The refresh token of a client whose grant is lost is presented once more: that
helps if the server refused it by mistake.

Exit codes: 0 there is a new token, 1 there is none, 3 the instance cannot be
reached.`,
		Args: cobra.ExactArgs(1),
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			return order(fl, "refresh", nil)
		}),
	}
	cmd.Flags().Bool("force", false, "ask although the server said to wait")
	return cmd
}

func tokensImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import <client>",
		Short: "Gives a client a new refresh token",
		Long: `
Reads a new refresh token from standard input, or from --file, and presents it
at once; the client goes on with it if the server accepts it, without a restart.
If the server refuses it while the old grant lives, the old one stays.

A refresh token that is, or was, another client's is not presented, nor one that was
refused: a server may end the whole grant when it sees a spent one, and another
client would lose its grant. --again presents it all the same, after a question. What
this client has exchanged for another one is presented by nothing.

The refresh token of a public client with dpop is bound to a key: --dpop-key names
the file with it, PEM or a JWK. It is kept with the grant then.

A refresh token is never an argument: other users can read those. If standard
input is a terminal, the token is asked for and not shown.

Exit codes: 0 there is a new token, 1 there is none, 3 the instance cannot be
reached.`,
		Example: "  lamplighter tokens import erp < /run/secrets/new_refresh_token",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("it takes the name of one client: a refresh token is no argument, which other users and the history of the shell would have; give it to standard input or --file, and let the server revoke one that was typed here")
			}
			return cobra.ExactArgs(1)(nil, args)
		},
		RunE: run(func(fl caddycmd.Flags) (int, error) {
			token, err := readToken(fl.String("file"))
			if err != nil {
				return tokenMissing, err
			}
			if fl.Bool("again") && !fl.Bool("yes") {
				if err := confirm("import", fmt.Sprintf(importCost, fl.Arg(0))); err != nil {
					return tokenMissing, err
				}
			}
			key, err := readKey(fl.String("dpop-key"))
			if err != nil {
				return tokenMissing, err
			}
			return order(fl, "import", adminapi.ImportRequest{RefreshToken: token, DPoPKey: key})
		}),
	}
	cmd.Flags().StringP("file", "f", "", "read the refresh token from this file")
	cmd.Flags().String("dpop-key", "", "read the private key that the refresh token is bound to from this file")
	cmd.Flags().Bool("again", false, "present a refresh token that was refused, or is another client's")
	cmd.Flags().BoolP("yes", "y", false, "do not ask, with --again")
	cmd.Flags().Bool("force", false, "ask although the server said to wait")
	return cmd
}

// importCost is what is asked before a refresh token is presented that something
// speaks against.
const importCost = "Present this refresh token for client %s although it was refused, or is another client's? If it was spent, the server may end the whole grant, and whoever has it logs in again; if it is another client's, that one loses it. [y/N] "

// readKey reads a private key from a file, "" if none is named.
func readKey(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--dpop-key: %w", err)
	}
	return string(b), nil
}

// readToken reads a refresh token from a file or standard input.
func readToken(file string) (string, error) {
	in := io.Reader(os.Stdin)
	switch {
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--file: %w", err)
		}
		defer f.Close()
		in = f
	case term.IsTerminal(int(os.Stdin.Fd())):
		fmt.Fprint(os.Stderr, "Refresh token (not shown): ")
		b, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("reading the refresh token: %w", err)
		}
		return adminapi.CheckToken(string(b))
	}
	b, err := io.ReadAll(io.LimitReader(in, adminapi.MaxBody+1))
	if err != nil {
		return "", fmt.Errorf("reading the refresh token: %w", err)
	}
	if len(b) > adminapi.MaxBody {
		return "", errors.New("what was supplied is longer than any refresh token")
	}
	token, err := adminapi.CheckToken(string(b))
	if err != nil {
		return "", fmt.Errorf("%w (it is read from standard input, or from --file)", err)
	}
	return token, nil
}

// order has something done to a client and reports the outcome.
func order(fl caddycmd.Flags, action string, body any) (int, error) {
	action = "/" + action
	query := url.Values{}
	for _, flag := range []string{"force", "again"} {
		if known := fl.Lookup(flag); known != nil && fl.Bool(flag) {
			query.Set(flag, "true")
		}
	}
	if len(query) > 0 {
		action += "?" + query.Encode()
	}
	var r adminapi.OrderResult
	if code, err := callClient(fl, http.MethodPost, action, body, &r); err != nil {
		return code, err
	}
	return reportOrder(fl, r)
}

// reportOrder prints the outcome.
func reportOrder(fl caddycmd.Flags, r adminapi.OrderResult) (int, error) {
	code := healthy
	if !r.Obtained {
		code = tokenMissing
	}
	if fl.Bool("json") {
		return code, printJSON(os.Stdout, r)
	}
	if !r.Obtained {
		printTrouble(newTerminal(os.Stderr), r.Client, "no new token", r.Detail, r.Remedy)
		return code, nil
	}
	t := newTerminal(os.Stdout)
	next := ""
	if n := r.Status.NextRefreshIn; n != nil {
		next = ", next refresh in " + condition.Seconds(*n)
	}
	fmt.Fprintf(t, "%s: %s: generation %d, expires in %s%s\n", r.Client, t.paint("new token obtained", green), r.Status.Generation, condition.Seconds(r.Status.ExpiresIn), next)
	if r.Status.Unsaved {
		printTrouble(newTerminal(os.Stderr), r.Client, "the record cannot be written", "the newest refresh token is only in memory", "make "+r.Status.Record+" writable before the process is stopped")
	}
	return code, nil
}

// callClient calls the admin API about the client that the first argument names.
func callClient(fl caddycmd.Flags, method, action string, body, into any) (int, error) {
	name := fl.Arg(0)
	if err := settings.CheckName(name); err != nil {
		return tokenMissing, err
	}
	api, err := newAdminClient(fl)
	if err != nil {
		return notReached, err
	}
	err = api.call(method, "/oauth2_client/clients/"+url.PathEscape(name)+action, body, into)
	if _, ok := errors.AsType[*notReachedError](err); ok {
		return notReached, err
	}
	return tokenMissing, err
}
