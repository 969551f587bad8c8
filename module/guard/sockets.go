package guard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/internal/redact"
)

// overSocket reports whether a request came by a unix socket.
func overSocket(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && caddy.IsUnixNetwork(local.Network())
}

// overAbstractSocket reports whether it came by one that is no file, and has no mode: every
// user of the machine can connect to it.
func overAbstractSocket(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && caddy.IsUnixNetwork(local.Network()) && strings.HasPrefix(local.String(), "@")
}

// listensOnSocket reports whether a server of the configuration has a unix socket that is a
// file.
func listensOnSocket(ctx caddy.Context) bool {
	for _, m := range ctx.Modules() {
		app, ok := m.(*caddyhttp.App)
		if !ok {
			continue
		}
		for _, server := range app.Servers {
			if slices.ContainsFunc(server.Listen, func(listen string) bool {
				socket, _ := socketOf(listen)
				return socket != "" && !strings.HasPrefix(socket, "@")
			}) {
				return true
			}
		}
	}
	return false
}

// socketOf returns the unix socket of a listener, "" if it is none, and its mode, 0 if none is
// written.
func socketOf(listen string) (socket string, mode uint64) {
	address, err := caddy.ParseNetworkAddress(listen)
	if err != nil || !address.IsUnixNetwork() {
		return "", 0
	}
	socket, bits, _ := strings.Cut(address.Host, "|")
	mode, _ = strconv.ParseUint(bits, 8, 32)
	return socket, mode
}

// checkNetworks refuses a server on a network that Caddy reads and can dial, but not listen on:
// it would say so when it starts, and not to validate.
func checkNetworks(ctx caddy.Context) error {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil
	}
	for _, listen := range server.Listen {
		if path, found := strings.CutPrefix(listen, "unix+h2c/"); found {
			return fmt.Errorf("bind unix+h2c/%[1]s: nobody can listen on unix+h2c, which is for upstreams: write 'bind unix/%[1]s', and 'protocols h1 h2c' in the option servers", redact.Text(path))
		}
	}
	return nil
}

// checkListeners refuses a server on an abstract socket without a secret of callers, and warns
// of what lets everybody in.
func (h *Handout) checkListeners(ctx caddy.Context) error {
	if h.CallerSecret != "" {
		return nil
	}
	warn := func(what string) {
		h.logger.Warn(what+" without a caller_secret: whoever sends 'Lamplighter-Token: yes' from there is handed the token", h.where().Fields()...)
	}
	if h.anybody {
		warn("callers any")
	}
	for _, prefix := range h.callers {
		if prefix.Bits() == 0 {
			warn("callers " + prefix.String())
		}
	}
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil
	}
	for _, listen := range server.Listen {
		socket, mode := socketOf(listen)
		if strings.HasPrefix(socket, "@") {
			return errors.New("an abstract socket has no mode, so that every user of this machine is handed the token: add a caller_secret, or bind a socket that is a file, such as unix//run/lamplighter/token.sock|0660")
		}
		if mode&0o006 != 0 {
			warn("a socket that every user of this machine can open (mode " + strconv.FormatUint(mode, 8) + ")")
		}
	}
	return nil
}
