package command

import (
	"cmp"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/service"
)

// thisUser is the flag that has a command go on although a service runs its configuration, as
// another user or with other data.
const thisUser = "as-this-user"

// serviceOf is service.Elsewhere, but in tests.
var serviceOf = service.Elsewhere

// elsewhere is the service that runs the configuration of a command as another user or with
// other data, nil if none does.
func elsewhere(fl caddycmd.Flags) *service.Service {
	return serviceOf(cmp.Or(fl.String("config"), "Caddyfile"))
}

// allowThisUser gives a command the flag.
func allowThisUser(cmd *cobra.Command) {
	cmd.Flags().Bool(thisUser, false, "without an instance: go on although a service runs the configuration, as another user or with other data")
}

// otherUserError says that a command is one for another user, with the complete command.
type otherUserError string

// Error has the remedy.
func (e otherUserError) Error() string { return string(e) }

// asOther returns an error if a command is about to read and write where the service does
// not.
func asOther(fl caddycmd.Flags) error {
	s := elsewhere(fl)
	if s == nil || fl.Bool(thisUser) {
		return nil
	}
	return otherUserError(fmt.Sprintf("%s, which would not find, or could not read, what this command writes as %s below %s; %s; --%s does it here all the same", s.Who(), service.Me(), caddy.AppDataDir(), s.Remedy(os.Args[1:]), thisUser))
}

// askedElsewhere is what an examination begins with that says nothing about the service.
func askedElsewhere(fl caddycmd.Flags) (checks []adminapi.Check) {
	s := elsewhere(fl)
	if s == nil {
		return nil
	}
	return []adminapi.Check{{
		Step: "user", Verdict: adminapi.VerdictWarning,
		Detail: fmt.Sprintf("%s, and with its own rights and environment; this is examined as %s, with the data in %s", s.Who(), service.Me(), caddy.AppDataDir()),
		Remedy: s.Remedy(os.Args[1:]),
	}}
}
