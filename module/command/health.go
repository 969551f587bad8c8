package command

import (
	"cmp"
	"fmt"
	"net/http"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/condition"
)

// Exit codes of `tokens health`.
const (
	healthy        = 0
	tokenMissing   = 1
	humanNeeded    = 2
	notReached     = 3
	notForLong     = 4
	healthLongHelp = `
Tells whether the running instance's clients have their access tokens. Exit codes:

  0  all is well
  1  a client has no valid token
  2  a human is needed, although tokens may still be valid: a grant was lost,
     a client is misconfigured, waits for its first refresh token, or cannot use
     the directory of its record
  3  the instance cannot be reached
  4  tokens are valid, and will not be for long, or are of no use: token requests
     fail, a grant ends soon, the store that replicas share is away, the last
     ten answers of an upstream rejected the token, or a token file cannot be
     written

Of several clients the worst counts: 2 before 1 before 4. What matters only when a
client's store or name is changed, as a ledger of spent refresh tokens that cannot be
written, is doctor's to tell.

--ready asks for tokens only (of the named clients, or of all): 0 or 1.
--live asks only whether the process answers: what a container's health check
and a liveness probe should call, because no restart mends a missing token.`
)

func tokensHealthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health [--live | --ready [<client>...]]",
		Short: "Tells whether all clients have their tokens",
		Long:  healthLongHelp,
		RunE: run(func(fl caddycmd.Flags) (int, error) {
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
				printTrouble(newTerminal(os.Stderr), s.Client, s.State+", token "+s.Token, cmp.Or(s.Detail, "nothing more is known yet"), s.Remedy)
			}
			return code, nil
		}),
	}
	cmd.Flags().Bool("live", false, "ask only whether the process answers")
	cmd.Flags().Bool("ready", false, "ask only for valid tokens")
	cmd.MarkFlagsMutuallyExclusive("live", "ready")
	return cmd
}

// exitCodes are those of how well a client is.
var exitCodes = map[condition.Health]int{
	condition.Well: healthy, condition.NotForLong: notForLong, condition.NoToken: tokenMissing, condition.HumanNeeded: humanNeeded,
}

// judgeHealth returns the exit code and the clients that are not well.
func judgeHealth(statuses []adminapi.ClientStatus, readyOnly bool, names []string) (code int, bad []adminapi.ClientStatus, err error) {
	judge, worst := condition.Of, condition.Well
	if readyOnly {
		judge = condition.OfToken
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	for _, s := range statuses {
		if len(names) > 0 && !wanted[s.Client] {
			continue
		}
		delete(wanted, s.Client)
		one := judge(s)
		if one != condition.Well {
			bad = append(bad, s)
		}
		worst = max(worst, one)
	}
	for name := range wanted {
		return tokenMissing, bad, fmt.Errorf("no client %q", name)
	}
	return exitCodes[worst], bad, nil
}

func checkLive(fl caddycmd.Flags) (int, error) {
	api, err := newAdminClient(fl)
	if err == nil {
		err = api.call(http.MethodGet, "/oauth2_client/live", nil, nil)
	}
	if err != nil {
		return notReached, err
	}
	return healthy, nil
}
