package command

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A script that misspells a command must not take the help for success.
func TestAMisspeltCommandFails(t *testing.T) {
	for args, want := range map[string]string{
		"tokens":         "",
		"tokens shwo":    `unknown command "shwo" for "lamplighter tokens" (did you mean show?)`,
		"tokens shw erp": `unknown command "shw" for "lamplighter tokens" (did you mean show?)`,
		"tokens nothing": `unknown command "nothing" for "lamplighter tokens"`,
	} {
		before := tokens
		root, cmd := &cobra.Command{Use: "lamplighter"}, &cobra.Command{Use: "tokens"}
		root.AddCommand(cmd)
		tokensCommand(cmd)
		tokens = before
		root.SetArgs(strings.Fields(args))
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		err := root.Execute()
		if got := errorText(err); got != want {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
