package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/internal/target"
	"lamplighter/module/statuspage"
)

func tokensStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status --web",
		Short: "Shows the clients in a browser",
		Long: `
Serves a page on a loopback port that shows every client, and opens it in a
browser: what needs somebody on top, then state, lifetime, last error with its
remedy, history, and buttons to refresh, to log in and to import a refresh token.
The page is behind a key that is good for one browser; it gets all it shows from
the running instance's admin API, and no secret is on it.

To log in from it, http://127.0.0.1/callback is to be registered as the client's
redirect URI; if the server insists on a port, register one and serve the page
there with --listen.

It ends with Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: run(statusCommand),
	}
	cmd.Flags().Bool("web", false, "serve the page")
	cmd.Flags().String("listen", "127.0.0.1:0", "loopback address to serve it on")
	cmd.Flags().Bool("no-browser", false, "print the address, and open no browser")
	return cmd
}

func statusCommand(fl caddycmd.Flags) (int, error) {
	if !fl.Bool("web") {
		return tokenMissing, errors.New("the status is shown in a browser: add --web, or use 'tokens list' here")
	}
	api, err := newAdminClient(fl)
	if err == nil {
		err = api.call(http.MethodGet, "/oauth2_client/clients", nil, nil)
	}
	if err != nil {
		return notReached, err
	}
	address := fl.String("listen")
	if host, _, err := net.SplitHostPort(address); err != nil || !target.IsLoopback(host) {
		return tokenMissing, fmt.Errorf("--listen %s is not on a loopback address: write 127.0.0.1:<port>", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return tokenMissing, fmt.Errorf("--listen: %w", err)
	}
	page := statuspage.New(api.call, listener.Addr().String())
	server := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	link := page.Link()
	fmt.Fprintf(os.Stderr, "The status is at\n\n  %s\n\nfor the first browser that opens it. Ctrl-C ends it.\n", link)
	if !fl.Bool("no-browser") {
		_ = openBrowser(link)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	select {
	case <-ctx.Done():
		return healthy, server.Close()
	case err := <-failed:
		return tokenMissing, err
	}
}
