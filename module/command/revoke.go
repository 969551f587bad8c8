package command

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lamplighter/module/adminapi"
)

func tokensRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke <client>",
		Short: "Ends a client's grant at the authorization server",
		Long: `
Revokes the client's refresh token at its revocation_endpoint (RFC 7009). Its
access token is not used any more, and requests are answered 503 until a new
refresh token is imported or somebody logs in. It asks first, unless --yes.

Exit codes: 0 the grant is revoked, 1 it is not, 3 the instance cannot be
reached.`,
		Args: cobra.ExactArgs(1),
		RunE: run(revoke),
	}
	cmd.Flags().BoolP("yes", "y", false, "do not ask")
	return cmd
}

func revoke(fl caddycmd.Flags) (int, error) {
	name := fl.Arg(0)
	if !fl.Bool("yes") {
		if err := confirm("revoke", "Revoke the grant of client "+name+"? Its requests fail until somebody logs in again. [y/N] "); err != nil {
			return tokenMissing, err
		}
	}
	var r adminapi.OrderResult
	if code, err := callClient(fl, http.MethodPost, "/revoke", nil, &r); err != nil {
		return code, err
	}
	code := healthy
	if !r.Revoked {
		code = tokenMissing
	}
	if fl.Bool("json") {
		return code, printJSON(os.Stdout, r)
	}
	if !r.Revoked {
		printTrouble(newTerminal(os.Stderr), r.Client, "not revoked", r.Detail, r.Remedy)
		return code, nil
	}
	done := fmt.Sprintf("%s: the grant is revoked; 'lamplighter tokens show %[1]s' says what begins a new one", name)
	fmt.Fprintln(os.Stdout, adminapi.WithFlags(done, flagsOf(fl)))
	return code, nil
}

// confirm asks whoever sits at the terminal.
func confirm(what, question string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return fmt.Errorf("nobody can be asked, because standard input is no terminal: add --yes to %s without a question", what)
	}
	fmt.Fprint(os.Stderr, question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}
