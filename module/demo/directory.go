package demo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// What the demo keeps in its directory.
const (
	caddyfileName    = "Caddyfile"
	clientSecretName = "client_secret"
	refreshTokenName = "refresh_token"
	stateName        = "authorization-server.json"
	sidecarHome      = "sidecar"
	sidecarLog       = "sidecar.log"
	adminSocket      = "admin.sock"
)

const clientID = "demo"

// directory is the directory of a demo.
type directory string

func (dir directory) path(name string) string { return filepath.Join(string(dir), name) }

// write puts a secret into a file, in one step: the sidecar may be reading it.
func (dir directory) write(name, secret string) error {
	temp := dir.path("." + name)
	if err := os.WriteFile(temp, []byte(secret+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, dir.path(name))
}

// clientSecret returns the client secret, which is made once. It holds the
// characters that go wrong where an encoding is forgotten.
func (dir directory) clientSecret() (string, error) {
	data, err := os.ReadFile(dir.path(clientSecretName))
	if errors.Is(err, fs.ErrNotExist) {
		secret := "demo+" + rand.Text() + "/="
		return secret, dir.write(clientSecretName, secret)
	}
	return strings.TrimSuffix(string(data), "\n"), err
}

// caddyfile makes the sidecar's configuration.
func (dir directory) caddyfile(d *demo) string {
	host, port, _ := net.SplitHostPort(d.listen)
	return fmt.Sprintf(`# Written by the demo, which will not overwrite it.
{
	grace_period 10s
}

http://:%s {
	bind %s
	upstream_oauth http://%s {
		client demo {
			provider tencent_eiam http://%s
			client_id %s
			client_secret %s
			refresh_token %s
%s		}
	}
}
`, port, host, d.api, d.authorizationServer, clientID, dir.placeholder(clientSecretName), dir.placeholder(refreshTokenName), d.possession())
}

// possession are the settings of a client whose servers demand proofs.
func (d *demo) possession() string {
	if !d.dpop {
		return ""
	}
	return "\t\t\tdpop\n"
}

func (dir directory) placeholder(name string) string {
	placeholder := "{file." + dir.path(name) + "}"
	if strings.ContainsAny(placeholder, " \t") {
		return `"` + placeholder + `"`
	}
	return placeholder
}

// keepCaddyfile writes the Caddyfile if there is none. One that is there may be
// the user's own work: it stays, if it fits the addresses.
func (dir directory) keepCaddyfile(d *demo) error {
	path := dir.path(caddyfileName)
	there, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(path, []byte(dir.caddyfile(d)), 0o600)
	}
	if err != nil {
		return err
	}
	tokens, err := caddyfile.Tokenize(there, path)
	if err != nil {
		return err
	}
	if has := slices.ContainsFunc(tokens, func(t caddyfile.Token) bool { return t.Text == "dpop" }); has != d.dpop {
		return fmt.Errorf("%s is of a demo with or without --dpop, and this is the other kind: start over with --fresh, or choose another directory", path)
	}
	_, port, _ := net.SplitHostPort(d.listen)
	for _, wanted := range []struct{ flag, text string }{
		{"--listen", ":" + port}, {"--api", d.api}, {"--authorization-server", d.authorizationServer},
	} {
		named := slices.ContainsFunc(tokens, func(t caddyfile.Token) bool { return strings.HasSuffix(t.Text, wanted.text) })
		if !named {
			return fmt.Errorf("%s does not name %s, so it is of a demo with another address there: give that with %s, start over with --fresh, or choose another directory with --dir", path, wanted.text, wanted.flag)
		}
	}
	return nil
}

// clear removes what a demo left, and sets its Caddyfile aside. It touches no
// directory that is not a demo's.
func (dir directory) clear() error {
	entries, err := os.ReadDir(string(dir))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir.path(stateName)); err != nil {
		return fmt.Errorf("%s is not the directory of a demo, so nothing in it is removed: %w", dir, err)
	}
	err = os.Rename(dir.path(caddyfileName), dir.path(caddyfileName+".old"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The state comes last: it is what a second attempt knows the directory by.
	for _, name := range []string{sidecarHome, sidecarLog, adminSocket, clientSecretName, refreshTokenName, stateName} {
		if err := os.RemoveAll(dir.path(name)); err != nil {
			return err
		}
	}
	return nil
}
