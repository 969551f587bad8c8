package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lamplighter/module/adminapi"
	"lamplighter/module/condition"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
)

func tokensLoginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login <client>",
		Short: "Logs in and gives a client its first refresh token",
		Long: `
Logs a user in at the authorization server and gives the client the refresh token
that comes of it; no secret passes through your hands.

Without --device it is an authorization code grant with PKCE: a browser on this
machine is opened at the client's authorization_endpoint, and comes back to a
loopback address. Register http://127.0.0.1/callback as the client's redirect
URI; if the server insists on a port, register one and name it with
--redirect-uri.

A browser outside of a container, or on another machine, cannot come back: the
command takes the address that it ends at then, pasted into its terminal ('docker
exec -it', 'kubectl exec -it', 'ssh -t').

With --device (RFC 8628) you enter a code on any other device; the client needs
a device_authorization_endpoint.

The running instance does it, with its own secrets. If none runs, this command
reads the configuration (--config, or a Caddyfile here) and writes the record
itself: as the user that the service runs as, or not at all.

Exit codes: 0 there is a token, 1 there is none, 3 there is neither an instance
nor a configuration.`,
		Args: cobra.ExactArgs(1),
		RunE: run(loginCommand),
	}
	cmd.Flags().Bool("device", false, "log in on another device")
	allowThisUser(cmd)
	cmd.Flags().Bool("no-browser", false, "print the address, and open no browser")
	cmd.Flags().String("redirect-uri", "", "the registered loopback redirect URI (default: http://127.0.0.1:<a free port>/callback)")
	return cmd
}

// loginStep takes a step of a log-in: in the running instance, or here.
type loginStep func(ctx context.Context, req adminapi.LoginRequest) (*adminapi.LoginAnswer, error)

func loginCommand(fl caddycmd.Flags) (int, error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	step, end, code, err := loginSteps(ctx, fl)
	if err != nil {
		return code, err
	}
	defer end()

	var answer *adminapi.LoginAnswer
	if fl.Bool("device") {
		answer, err = loginByDevice(ctx, step)
	} else {
		answer, err = loginByBrowser(ctx, fl, step)
	}
	if err != nil {
		return tokenMissing, err
	}
	code, err = reportOrder(fl, *answer.Result)
	if answer.Result.Obtained && !fl.Bool("json") && err == nil {
		fmt.Fprintf(newTerminal(os.Stdout), "%s: its record is %s\n", answer.Result.Client, answer.Result.Status.Record)
	}
	return code, err
}

// loginSteps finds out who takes the steps.
func loginSteps(ctx context.Context, fl caddycmd.Flags) (step loginStep, end func(), code int, err error) {
	code, err = callClient(fl, http.MethodGet, "", nil, nil)
	if err == nil {
		return func(_ context.Context, req adminapi.LoginRequest) (*adminapi.LoginAnswer, error) {
			answer := new(adminapi.LoginAnswer)
			_, err := callClient(fl, http.MethodPost, "/login", req, answer)
			return answer, err
		}, func() {}, healthy, nil
	}
	var unreached *notReachedError
	if !errors.As(err, &unreached) {
		return nil, nil, code, err
	}
	c, err := attend(ctx, fl, fl.Arg(0))
	if err != nil {
		return nil, nil, notReached, fmt.Errorf("%w; and without it: %w", unreached, err)
	}
	return c.Login, c.Close, healthy, nil
}

func loginByDevice(ctx context.Context, step loginStep) (*adminapi.LoginAnswer, error) {
	answer, err := step(ctx, adminapi.LoginRequest{Device: true})
	if err != nil {
		return nil, err
	}
	t := newTerminal(os.Stderr)
	fmt.Fprintf(t, "On any device, open\n\n  %s\n\nand enter the code\n\n  %s\n\n", t.paint(answer.VerificationURI, bold), t.paint(answer.UserCode, bold))
	if answer.VerificationURIComplete != "" {
		fmt.Fprintf(t, "or open %s\n\n", answer.VerificationURIComplete)
	}
	fmt.Fprintf(t, "Waiting for that, %s at most.\n", condition.Seconds(answer.ExpiresIn))
	for {
		select {
		case <-ctx.Done():
			return nil, errors.New("the log-in was called off")
		case <-time.After(time.Duration(answer.Interval * float64(time.Second))):
		}
		if answer, err = step(ctx, adminapi.LoginRequest{State: answer.State}); err != nil || answer.Result != nil {
			return answer, err
		}
	}
}

func loginByBrowser(ctx context.Context, fl caddycmd.Flags, step loginStep) (*adminapi.LoginAnswer, error) {
	listener, redirect, err := listenForBrowser(fl.String("redirect-uri"))
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	began, err := step(ctx, adminapi.LoginRequest{RedirectURI: redirect.String()})
	if err != nil {
		return nil, err
	}
	if !target.IsWebAddress(began.AuthorizationURL) {
		return nil, fmt.Errorf("authorization_endpoint is no address that a browser opens: %s", redact.Quote(began.AuthorizationURL))
	}
	if began.Warning != "" {
		fmt.Fprintf(os.Stderr, "%s\n\n", redact.Visible(began.Warning))
	}
	within := ""
	if began.OpenWithin > 0 && began.OpenWithin < began.ExpiresIn {
		within = ", and open it within " + condition.Seconds(began.OpenWithin)
	}
	fmt.Fprintf(os.Stderr, "Log in at%s\n\n  %s\n\n", within, began.AuthorizationURL)
	if !fl.Bool("no-browser") && openBrowser(began.AuthorizationURL) != nil {
		fmt.Fprint(os.Stderr, "There is no browser here that could be opened: open that address in one.\n\n")
	}
	visit := &visitor{path: redirect.Path, state: began.State, brought: make(chan adminapi.LoginRequest, 1)}
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	fmt.Fprintf(os.Stderr, "%s\nWaiting for that, %s at most.\n", wayBack(redirect, terminal), condition.Seconds(began.ExpiresIn))
	if terminal {
		go visit.pasted(os.Stdin, os.Stderr)
	}
	server := &http.Server{Handler: visit, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		bye, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(bye) // so that the browser gets its page
	}()
	select {
	case brought := <-visit.brought:
		return step(ctx, brought)
	case <-time.After(time.Duration(began.ExpiresIn * float64(time.Second))):
		return nil, errors.New("no browser has come back within the time for that: begin again, in a terminal, or with --device if the authorization server offers that")
	case <-ctx.Done():
		return nil, errors.New("the log-in was called off")
	}
}
