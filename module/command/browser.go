package command

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/target"
)

// listenForBrowser listens at the redirect URI, or at a free port.
func listenForBrowser(redirectURI string) (net.Listener, *url.URL, error) {
	if redirectURI == "" {
		redirectURI = "http://127.0.0.1:0/callback"
	}
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "http" || !target.IsLoopback(u.Hostname()) || u.Port() == "" {
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
	brought     chan adminapi.LoginRequest
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
	word := func(name string) string { return q.Get(name)[:min(len(q.Get(name)), maxBrought)] }
	next := adminapi.LoginRequest{State: v.state, Code: q.Get("code"), Issuer: word("iss")}
	if next.Code != "" {
		fmt.Fprintln(w, "You can close this window; the terminal says how the log-in ended.")
	} else {
		fmt.Fprintln(w, "The log-in failed. The terminal says why.")
		next.Error, next.ErrorDescription = word("error"), word("error_description")
	}
	select {
	case v.brought <- next:
	default:
	}
}

// openBrowser tries to, and returns an error if there is nothing that would. The address is
// printed anyway.
func openBrowser(address string) error {
	command := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", address}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	err := cmd.Start()
	if err == nil {
		go func() { _ = cmd.Wait() }()
	}
	return err
}
