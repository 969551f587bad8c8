package module

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/origin"
	"lamplighter/module/internal/redact"
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

With --device (RFC 8628) you enter a code on any other device; the client needs
a device_authorization_endpoint.

The running instance does it, with its own secrets. If none runs, this command
reads the configuration (--config, or a Caddyfile here) and writes the record
itself.

Exit codes: 0 there is a token, 1 there is none, 3 there is neither an instance
nor a configuration.`,
		Args: cobra.ExactArgs(1),
		RunE: run(loginCommand),
	}
	cmd.Flags().Bool("device", false, "log in on another device")
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
	return reportOrder(fl, *answer.Result)
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
	c, end, err := clientOfConfig(ctx, fl)
	if err != nil {
		return nil, nil, notReached, fmt.Errorf("%w; and without it: %w", unreached, err)
	}
	return c.login, end, healthy, nil
}

// clientOfConfig makes a client work in this process, without an instance: its
// keeper takes the lease and writes the record as ever.
func clientOfConfig(ctx context.Context, fl caddycmd.Flags) (c *client, end func(), err error) {
	if c, err = loadClient(fl, fl.Arg(0)); err != nil {
		return nil, nil, err
	}
	u := c.use
	if u.open(ctx); u.err != nil {
		u.close()
		return nil, nil, fmt.Errorf("client %s: store: %w", c.name, u.err)
	}
	c.log.attended = true
	c.start(1)
	return c, func() { c.stop(); u.close() }, nil
}

// loadClient provisions a configuration, and returns one of its clients.
func loadClient(fl caddycmd.Flags, name string) (c *client, err error) {
	config, file, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	if len(config) == 0 || file == "" {
		return nil, errors.New("there is no configuration here: name it with --config")
	}
	cfg := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	provisioned, err := caddy.ProvisionContext(cfg)
	if err != nil {
		return nil, err
	}
	found, err := provisioned.AppIfConfigured("oauth2_client")
	if err != nil {
		return nil, fmt.Errorf("%s has no clients", file)
	}
	app := found.(*App)
	var names []string
	for _, known := range app.list() {
		if known.name == name {
			c = known
		}
		names = append(names, known.name)
	}
	if c == nil {
		return nil, fmt.Errorf("%s has no client %s; there are: %s", file, name, strings.Join(names, ", "))
	}
	return c, nil
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
	fmt.Fprintf(t, "Waiting for that, %s at most.\n", seconds(answer.ExpiresIn))
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
	if !isWebAddress(began.AuthorizationURL) {
		return nil, fmt.Errorf("authorization_endpoint is no address that a browser opens: %s", redact.Quote(began.AuthorizationURL))
	}
	fmt.Fprintf(os.Stderr, "Log in at\n\n  %s\n\n", began.AuthorizationURL)
	if !fl.Bool("no-browser") {
		openBrowser(began.AuthorizationURL)
	}

	visit := &visitor{path: redirect.Path, state: began.State, codes: make(chan string, 1), failures: make(chan adminapi.LoginRequest, 1)}
	server := &http.Server{Handler: visit, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		bye, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(bye) // so that the browser gets its page
	}()
	select {
	case code := <-visit.codes:
		return step(ctx, adminapi.LoginRequest{State: began.State, Code: code})
	case refused := <-visit.failures:
		return step(ctx, refused)
	case <-time.After(time.Duration(began.ExpiresIn * float64(time.Second))):
		return nil, errors.New("nobody has logged in within the time for that")
	case <-ctx.Done():
		return nil, errors.New("the log-in was called off")
	}
}

// listenForBrowser listens at the redirect URI, or at a free port.
func listenForBrowser(redirectURI string) (net.Listener, *url.URL, error) {
	if redirectURI == "" {
		redirectURI = "http://127.0.0.1:0/callback"
	}
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "http" || !origin.IsLoopback(u.Hostname()) || u.Port() == "" {
		return nil, nil, errors.New("--redirect-uri: write http://127.0.0.1:<port>/<path>")
	}
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		return nil, nil, fmt.Errorf("--redirect-uri: %w", err)
	}
	if u.Port() == "0" {
		u.Host = l.Addr().String()
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return l, u, nil
}

// visitor serves the browser that comes back. Whoever comes without the right
// state is not listened to.
type visitor struct {
	path, state string
	codes       chan string
	failures    chan adminapi.LoginRequest
}

// maxBrought bounds the words of an error that are looked at.
const maxBrought = 4 << 10

// ServeHTTP takes the authorization response (RFC 6749 section 4.1.2).
func (v *visitor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path != v.path || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(v.state)) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintln(w, "This is not the log-in that the command began. Open the address that it printed.")
		return
	}
	if code := q.Get("code"); code != "" {
		fmt.Fprintln(w, "Logged in. You can close this window; the terminal says how it ended.")
		select {
		case v.codes <- code:
		default:
		}
		return
	}
	fmt.Fprintln(w, "The log-in failed. The terminal says why.")
	brought := func(name string) string { return q.Get(name)[:min(len(q.Get(name)), maxBrought)] }
	select {
	case v.failures <- adminapi.LoginRequest{State: v.state, Error: brought("error"), ErrorDescription: brought("error_description")}:
	default:
	}
}

// isWebAddress reports whether a browser opens an address as a web page, and it can
// be read as it is.
func isWebAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
		!strings.Contains(address, " ") && redact.Visible(address) == address
}

// openBrowser tries to. The address is printed anyway.
func openBrowser(address string) {
	command := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", address}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}
