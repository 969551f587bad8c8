package module

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"lamplighter/module/internal/keeper"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "tokens",
		Short:     "Shows the access tokens that a running instance keeps fresh",
		CobraFunc: tokensCommand,
	})
}

// Exit codes of `tokens health`.
const (
	healthy        = 0
	tokenMissing   = 1
	humanNeeded    = 2
	notReached     = 3
	healthLongHelp = `
Tells whether the running instance's clients have their access tokens. Exit codes:

  0  all is well
  1  a client has no valid token
  2  a human is needed, although tokens may still be valid: a grant was lost,
     a client is misconfigured, or waits for its first refresh token
  3  the instance cannot be reached

--ready asks for tokens only (of the named clients, or of all): 0 or 1.
--live asks only whether the process answers: what a container's health check
and a liveness probe should call, because no restart mends a missing token.`
)

func tokensCommand(cmd *cobra.Command) {
	cmd.Long = "\nShows the access tokens that a running instance keeps fresh, over its admin API.\nNo secret is ever shown."
	cmd.PersistentFlags().String("address", "", "admin address of the instance (default: its configuration's, else this binary's default)")
	cmd.PersistentFlags().StringP("config", "c", "", "configuration file to find the admin address in")
	cmd.PersistentFlags().StringP("adapter", "a", "", "configuration adapter")
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.AddCommand(tokensListCommand(), tokensHealthCommand())
}

func tokensListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Lists the clients, their tokens and states",
		Args:  cobra.NoArgs,
		RunE: caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			statuses, err := fetchClients(fl)
			if err != nil {
				return notReached, err
			}
			if fl.Bool("json") {
				return healthy, printJSON(os.Stdout, statuses)
			}
			return healthy, printClients(os.Stdout, statuses)
		}),
	}
}

func tokensHealthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health [--live | --ready [<client>...]]",
		Short: "Tells whether all clients have their tokens",
		Long:  healthLongHelp,
		RunE: caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if fl.Bool("live") {
				return checkLive(fl)
			}
			statuses, err := fetchClients(fl)
			if err != nil {
				return notReached, err
			}
			code, bad, err := judgeHealth(statuses, fl.Bool("ready"), fl.Args())
			if err != nil {
				return tokenMissing, err
			}
			if fl.Bool("json") {
				return code, printJSON(os.Stdout, map[string]any{"healthy": code == healthy, "clients": statuses})
			}
			for _, s := range bad {
				fmt.Fprintf(os.Stderr, "%s: %s, token %s: %s. Remedy: %s\n", s.Client, s.State, s.Token, s.Detail, s.Remedy)
			}
			return code, nil
		}),
	}
	cmd.Flags().Bool("live", false, "ask only whether the process answers")
	cmd.Flags().Bool("ready", false, "ask only for valid tokens")
	cmd.MarkFlagsMutuallyExclusive("live", "ready")
	return cmd
}

// judgeHealth returns the exit code and the clients that are not well.
func judgeHealth(statuses []ClientStatus, readyOnly bool, names []string) (code int, bad []ClientStatus, err error) {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	for _, s := range statuses {
		if len(names) > 0 && !wanted[s.Client] {
			continue
		}
		delete(wanted, s.Client)
		one := healthy
		if s.Token != "valid" {
			one = tokenMissing
		}
		switch keeper.State(s.State) {
		case keeper.StateGrantLost, keeper.StateMisconfigured, keeper.StateAwaitingGrant:
			if !readyOnly {
				one = humanNeeded
			}
		}
		if one != healthy {
			bad = append(bad, s)
		}
		code = max(code, one)
	}
	for name := range wanted {
		return tokenMissing, bad, fmt.Errorf("no client %q", name)
	}
	return code, bad, nil
}

func checkLive(fl caddycmd.Flags) (int, error) {
	res, err := adminRequest(fl, "/oauth2_client/live")
	if err != nil {
		return notReached, err
	}
	return healthy, res.Body.Close()
}

func fetchClients(fl caddycmd.Flags) ([]ClientStatus, error) {
	res, err := adminRequest(fl, "/oauth2_client/clients")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var statuses []ClientStatus
	if err := json.NewDecoder(res.Body).Decode(&statuses); err != nil {
		return nil, fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	return statuses, nil
}

func adminRequest(fl caddycmd.Flags, uri string) (*http.Response, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	res, err := caddycmd.AdminAPIRequest(address, http.MethodGet, uri, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("no instance answers at %s: %w; is it running, and is this its admin address? (--address, --config or CADDY_ADMIN choose another)", address, err)
	}
	return res, nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printClients(w io.Writer, statuses []ClientStatus) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CLIENT\tTOKEN\tSTATE\tEXPIRES IN\tNEXT REFRESH\tGENERATION\tLAST ERROR")
	for _, s := range statuses {
		expires, next := "-", "-"
		if s.ExpiresIn > 0 {
			expires = seconds(s.ExpiresIn)
		}
		if s.NextRefreshIn != nil {
			next = seconds(*s.NextRefreshIn)
		}
		cause := s.Cause
		if cause == "" {
			cause = "-"
		}
		fmt.Fprintln(tw, strings.Join([]string{s.Client, s.Token, s.State, expires, next, fmt.Sprint(s.Generation), cause}, "\t"))
	}
	return tw.Flush()
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
