package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "doctor",
		Short:     "Examines clients step by step, and says what to do about what is wrong",
		CobraFunc: doctorCommand,
	})
}

// Exit codes of `doctor` besides healthy, tokenMissing (something fails, or will) and
// notReached.
const (
	unloadable   = 2
	onlyWarnings = 4
)

func doctorCommand(cmd *cobra.Command) {
	cmd.Use = "doctor [<client>]"
	cmd.Long = `
Examines all clients of a configuration, or one, step by step: its settings, the
files and variables that they name, name resolution, the route or forward proxy to the
authorization server, TLS, the clock, discovery, the store and the record, the ports
that are listened on, and the upstreams. Each step has a verdict and, if something is
wrong, a remedy. No secret is shown.

The running instance does it, where it runs: with its user, its environment and its
network. What depends on those is not checked by another user than the service's. If none runs, name a configuration with --config (and --adapter); else it is the
Caddyfile here, or what the service of this machine is configured with.

It spends nothing: no refresh token is presented. With --ask, clients whose grant has
none make a real token request.

Exit codes: 0 all is well, 4 there are warnings, 1 something fails or will, 2 the
configuration cannot be loaded, 3 no instance is reached at --address, or there is
neither an instance nor a configuration.`
	cmd.Example = "  lamplighter doctor\n  lamplighter doctor erp --config Caddyfile --json"
	cmd.Args = cobra.MaximumNArgs(1)
	connectionFlags(cmd)
	cmd.Flags().Bool("ask", false, "make a token request for clients that present no refresh token")
	cmd.RunE = run(examine)
}

func examine(fl caddycmd.Flags) (int, error) {
	req := adminapi.DoctorRequest{Client: fl.Arg(0), Ask: fl.Bool("ask")}
	if req.Client != "" {
		if err := settings.CheckName(req.Client); err != nil {
			return tokenMissing, err
		}
	}
	var answer adminapi.DoctorAnswer
	api, err := newAdminClient(fl)
	if err == nil {
		err = api.call(http.MethodPost, adminapi.Prefix+"doctor", req, &answer)
		unreached, away := errors.AsType[*notReachedError](err)
		if away && errors.Is(unreached.err, fs.ErrPermission) { // what this user finds says nothing of it
			return notReached, err
		}
		if away && fl.String("address") == "" {
			return examineHere(fl, req, err)
		} else if away {
			return notReached, err
		}
		if err != nil {
			return tokenMissing, err
		}
		compared(fl, api, &answer)
		return reportChecks(fl, answer, "asked the instance at "+api.address)
	}
	if fl.String("address") != "" {
		return notReached, err
	}
	return unloaded(fl, err)
}

// examineHere examines a configuration that no instance runs.
func examineHere(fl caddycmd.Flags, req adminapi.DoctorRequest, away error) (int, error) {
	// What is missing is for the doctor to say.
	if err := os.Setenv(placeholder.NoSecrets, "1"); err != nil {
		return tokenMissing, err
	}
	app, file, err := configuredApp(fl)
	if unit := configuredFile(); errors.Is(err, errNoConfiguration) && unit != "" { // that of the service, which does not run
		if err := fl.Set("config", unit); err != nil {
			return tokenMissing, err
		}
		app, file, err = configuredApp(fl)
	}
	if errors.Is(err, errNoConfiguration) {
		return notReached, fmt.Errorf("%w; %w", away, err)
	}
	if err != nil {
		return unloaded(fl, err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	stranger := askedElsewhere(fl)
	req.Stranger = stranger != nil
	answer, err := app.(adminapi.Examiner).Examine(ctx, req)
	if err != nil {
		return tokenMissing, fmt.Errorf("%s: %w", file, err)
	}
	(&adminClient{flags: flagsOf(fl)}).makeReadable(reflect.ValueOf(answer))
	answer.Checks = append(stranger, answer.Checks...)
	return reportChecks(fl, *answer, "no instance answers; examined "+file+" as this user, on this machine")
}

// unloaded reports a configuration that cannot be loaded. One that is for another user may be
// readable for that one alone.
func unloaded(fl caddycmd.Flags, err error) (int, error) {
	stranger := askedElsewhere(fl)
	if stranger != nil && blind(fl, err) {
		return reportChecks(fl, adminapi.DoctorAnswer{Checks: append(stranger, adminapi.Check{
			Step: "configuration", Verdict: adminapi.VerdictSkipped, Detail: "not checked, because this user cannot tell: " + redact.Text(err.Error()),
		})}, "")
	}
	answer := adminapi.DoctorAnswer{Checks: []adminapi.Check{{
		Step: "configuration", Verdict: adminapi.VerdictFailed, Detail: err.Error(),
		Remedy: "correct it; 'lamplighter validate' says whether it can be loaded",
	}}}
	(&adminClient{flags: flagsOf(fl)}).makeReadable(reflect.ValueOf(&answer))
	answer.Checks = append(stranger, answer.Checks...)
	_, err = reportChecks(fl, answer, "")
	return unloadable, err
}

// blind reports whether a configuration may well be loaded by who is to serve, though not by this
// user: he may not read something, or has not the variables that are taken in.
func blind(fl caddycmd.Flags, err error) bool {
	if strings.Contains(err.Error(), fs.ErrPermission.Error()) { // Caddy keeps the text alone
		return true
	}
	text, _ := os.ReadFile(fl.String("config")) // else it has no variables
	return slices.ContainsFunc(variable.FindAllString(string(text), -1), func(name string) bool { return os.Getenv(name[len("{$"):]) == "" })
}

// reportChecks prints what was found, and returns the exit code.
func reportChecks(fl caddycmd.Flags, answer adminapi.DoctorAnswer, how string) (int, error) {
	counts := make(map[string]int)
	for _, c := range answer.Checks {
		counts[c.Verdict]++
	}
	code := healthy
	switch {
	case counts[adminapi.VerdictFailed] > 0:
		code = tokenMissing
	case counts[adminapi.VerdictWarning] > 0:
		code = onlyWarnings
	}
	if fl.Bool("json") {
		return code, printJSON(os.Stdout, answer)
	}
	t := newTerminal(os.Stdout)
	if how != "" {
		fmt.Fprintln(t, how)
	}
	if err := printChecks(t, answer.Checks); err != nil {
		return code, err
	}
	fmt.Fprintf(t, "\n%d ok, %s, %d failed, %d skipped\n", counts[adminapi.VerdictOK], english.Plural(counts[adminapi.VerdictWarning], "warning", ""), counts[adminapi.VerdictFailed], counts[adminapi.VerdictSkipped])
	return code, nil
}

// printChecks prints the steps of each client below its name.
func printChecks(t terminal, checks []adminapi.Check) error {
	for begin := 0; begin < len(checks); {
		end := begin
		var rows [][]string
		for ; end < len(checks) && checks[end].Client == checks[begin].Client; end++ {
			c := checks[end]
			rows = append(rows, []string{c.Verdict, c.Step, c.Detail})
			if c.Remedy != "" {
				rows = append(rows, []string{"", "", t.paint("remedy: ", bold) + c.Remedy})
			}
		}
		if name := checks[begin].Client; name != "" {
			fmt.Fprintln(t, "\n"+t.paint(name, bold))
		}
		if err := t.table("  ", nil, rows); err != nil {
			return err
		}
		begin = end
	}
	return nil
}
