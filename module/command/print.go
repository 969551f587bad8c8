package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/tokenformat"
)

func tokensPrintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "print <client> [get|store|erase]",
		Short: "Prints a client's access token, if its settings allow that",
		Long: `
Prints the access token of a client with the setting allow_print. The running instance
hands it over its admin socket, which no other user may be able to open, and logs that.
With the format git it is a credential helper, for the origins that 'allow' names.

Exit codes: 0 printed, 1 no token, or it is not handed out, 3 no instance reached.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: run(printToken),
	}
	cmd.Flags().String("format", tokenformat.Alone, strings.Join(tokenformat.PrintNames(), ", "))
	return cmd
}

func printToken(fl caddycmd.Flags) (int, error) {
	format, asked := fl.String("format"), os.Getenv("KUBERNETES_EXEC_INFO")
	if fl.Bool("json") {
		format = tokenformat.JSON
	}
	req := adminapi.TokenRequest{Format: format}
	switch {
	case !slices.Contains(tokenformat.PrintNames(), format):
		return tokenMissing, fmt.Errorf("--format %q is unknown: use %s", format, strings.Join(tokenformat.PrintNames(), ", "))
	case format == tokenformat.Git:
		says, err := tokenformat.ReadGit(os.Stdin)
		if err != nil {
			return tokenMissing, err
		}
		req.For, asked = says["protocol"]+"://"+says["host"], says["username"]
		switch operation := fl.Arg(1); {
		case operation == "erase" && says["password"] != "": // the server has rejected what it was given
			_, code, err := fetchToken(fl, adminapi.TokenRequest{Format: format, For: req.For, Rejected: says["password"]})
			return code, err
		case operation != "" && operation != "get": // store has nothing to do, and what git may say later is to be ignored
			return healthy, nil
		}
	case fl.Arg(1) != "":
		return tokenMissing, fmt.Errorf("%q is something that git says: add '--format git', or take it away", fl.Arg(1))
	}
	t, code, err := fetchToken(fl, req)
	if err != nil {
		return code, err
	}
	text, err := tokenformat.Print(fl.Arg(0), format, asked, t)
	if err != nil {
		return tokenMissing, err
	}
	_, err = os.Stdout.Write(text)
	return code, err
}

// fetchToken asks the instance for a token.
func fetchToken(fl caddycmd.Flags, req adminapi.TokenRequest) (*tokenformat.Token, int, error) {
	var raw json.RawMessage // which is not made readable: a token is to be as it is
	if code, err := callClient(fl, http.MethodPost, "/token", req, &raw); err != nil {
		return nil, code, err
	}
	t := new(tokenformat.Token)
	if err := json.Unmarshal(raw, t); err != nil || t.AccessToken == "" {
		return nil, tokenMissing, errors.New("the answer of the admin API has no token")
	}
	return t, healthy, nil
}
