package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
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
// of what lets everybody in, or lets others stand in for it.
func (h *Handout) checkListeners(ctx caddy.Context) error {
	if h.CallerSecret == "" {
		h.warnOfCallers()
	}
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil
	}
	for _, listen := range server.Listen {
		socket, mode := socketOf(listen)
		switch {
		case socket == "":
			continue
		case strings.HasPrefix(socket, "@") && h.CallerSecret == "":
			return errors.New("an abstract socket has no mode, so that every user of this machine is handed the token: add a caller_secret, or bind a socket that is a file, such as unix//run/lamplighter/token.sock|0660")
		case strings.HasPrefix(socket, "@"):
			continue
		case mode&0o006 != 0 && h.CallerSecret == "":
			h.warnOf("a socket that every user of this machine can open (mode " + strconv.FormatUint(mode, 8) + ")")
		}
		if how := replaceable(socket); how != "" {
			h.logger.Warn(how+", which callers would ask for tokens, and show their secret: bind it in a directory that only Lamplighter's user can write to, such as /run/lamplighter", h.where().Fields()...)
		}
	}
	return nil
}

// warnOfCallers warns of connections that are taken from everybody.
func (h *Handout) warnOfCallers() {
	if h.anybody {
		h.warnOf("callers any")
	}
	for _, prefix := range h.callers {
		if prefix.Bits() == 0 {
			h.warnOf("callers " + prefix.String())
		}
	}
}

func (h *Handout) warnOf(what string) {
	h.logger.Warn(what+" without a caller_secret: whoever sends 'Lamplighter-Token: yes' from there is handed the token", h.where().Fields()...)
}

// replaceable says how every user of this machine could put a socket of its own into the place
// of one, "" if none could: the directories are not there yet, or are not everybody's. In a
// sticky directory, as /tmp is, only who owns a name can move it, and anybody can be the first
// to have it. Where users are not in a mode, it says nothing.
func replaceable(socket string) string {
	if runtime.GOOS == "windows" {
		return ""
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(socket))
	if err != nil {
		return ""
	}
	for above := dir; ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err != nil {
			return ""
		}
		open, sticky := info.Mode().Perm()&0o002 != 0, info.Mode()&fs.ModeSticky != 0
		switch {
		case open && !sticky:
			return fmt.Sprintf("everybody can write to %s, and so can put another socket into the place of %s", redact.Text(above), redact.Text(socket))
		case open && above == dir:
			return fmt.Sprintf("everybody can make files in %s, and so can have another socket in the place of %s before this process has it", redact.Text(above), redact.Text(socket))
		case above == filepath.Dir(above):
			return ""
		}
	}
}
