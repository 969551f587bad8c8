// Package demo answers how Lamplighter looks at work: the command `lamplighter demo`
// runs an authorization server with the rules of Tencent EIAM, an API, and the
// sidecar, a process of its own, between them and the spectator.
//
// It knows the sandbox alone, and what a user of the sidecar knows: a Caddyfile, a
// directory of secrets, a process and its log. It must not know clients, keepers or
// any other part of the sidecar.
package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/internal/sandbox"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "demo",
		Short:     "Runs an authorization server, an API and the sidecar, to watch tokens rotate",
		CobraFunc: command,
	})
}

const longHelp = `
Runs, on this machine only, what Lamplighter is made for: an authorization
server with the rules of Tencent EIAM, an API that accepts nothing but its
current access token, and the sidecar between them and you. It prints the
Caddyfile of the sidecar, every rotation as it happens, and what to try.

All files are in one directory. If the demo is killed, the next one goes on from
there; --fresh starts over.

The authorization server's faults can be switched on while it runs: POST one to
/_sandbox/faults, such as {"kind":"cut_before","times":3}. An unknown kind is
answered with the list of kinds.`

func command(cmd *cobra.Command) {
	cmd.Long = longHelp
	cmd.Args = cobra.NoArgs
	flags := cmd.Flags()
	flags.String("listen", "127.0.0.1:8080", "address of the sidecar")
	flags.String("authorization-server", "127.0.0.1:9801", "address of the authorization server")
	flags.String("api", "127.0.0.1:9802", "address of the API")
	flags.String("dir", "lamplighter-demo", "directory of all files")
	flags.Duration("lifetime", 15*time.Second, "how long access tokens live, in whole seconds")
	flags.Bool("dpop", false, "bind access tokens to a key of the client, and demand a proof of it with each request (RFC 9449)")
	flags.Bool("server-only", false, "run the servers without the sidecar, for tests; ports may be 0")
	flags.Bool("json", false, "print events as JSON, one a line")
	flags.Bool("fresh", false, "start over: remove what an earlier demo left in the directory")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
		d, err := newDemo(fl)
		if err == nil {
			err = d.run()
		}
		if err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
		return caddy.ExitCodeSuccess, nil
	})
}

// demo is what `lamplighter demo` runs.
type demo struct {
	listen              string
	authorizationServer string
	api                 string
	dir                 directory
	lifetime            time.Duration
	dpop                bool
	serverOnly          bool
	fresh               bool
	out                 *output
	sandbox             *sandbox.Server
}

func newDemo(fl caddycmd.Flags) (*demo, error) {
	dir, err := filepath.Abs(fl.String("dir"))
	if err != nil {
		return nil, err
	}
	d := &demo{
		listen:              fl.String("listen"),
		authorizationServer: fl.String("authorization-server"),
		api:                 fl.String("api"),
		dir:                 directory(dir),
		lifetime:            fl.Duration("lifetime"),
		dpop:                fl.Bool("dpop"),
		serverOnly:          fl.Bool("server-only"),
		fresh:               fl.Bool("fresh"),
		out:                 &output{w: os.Stdout, json: fl.Bool("json")},
	}
	return d, d.check()
}

// check refuses what nobody else may reach, and what a Caddyfile cannot hold.
func (d *demo) check() error {
	if strings.ContainsAny(string(d.dir), "{}\"`\n") {
		return fmt.Errorf("the path %s holds characters that a Caddyfile cannot: choose another with --dir", d.dir)
	}
	for flag, address := range map[string]string{
		"--listen": d.listen, "--authorization-server": d.authorizationServer, "--api": d.api,
	} {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("%s %s: %w", flag, address, err)
		}
		if ip := net.ParseIP(host); !ip.IsLoopback() {
			return fmt.Errorf("%s %s: the demo's secrets are no secrets, so it listens on loopback only: choose an address such as 127.0.0.1:%s", flag, address, port)
		}
		if port == "0" && !d.serverOnly {
			return fmt.Errorf("%s %s: port 0 is for --server-only, because the Caddyfile names the ports", flag, address)
		}
	}
	return nil
}

// run runs the demo until it is told to end.
func (d *demo) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends it at once

	servers, err := d.bind()
	if err != nil {
		return err
	}
	defer servers.close()
	if err := d.prepare(); err != nil {
		return err
	}
	defer func() { _ = d.sandbox.Close() }()
	servers.serve(d.sandbox)
	if d.serverOnly {
		d.out.introduceServers(d)
		<-ctx.Done()
		return nil
	}
	sidecar, err := d.sidecar()
	if err != nil {
		return err
	}
	defer sidecar.remove()
	d.out.introduce(d, sidecar)
	return sidecar.run(ctx)
}

// prepare makes the files and the sandbox.
func (d *demo) prepare() error {
	if d.fresh {
		if err := d.dir.clear(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(string(d.dir), 0o700); err != nil {
		return fmt.Errorf("%w; choose another directory with --dir", err)
	}
	if !d.serverOnly {
		if err := d.dir.keepCaddyfile(d); err != nil {
			return err
		}
	}
	secret, err := d.dir.clientSecret()
	if err != nil {
		return err
	}
	d.sandbox, err = sandbox.New(sandbox.Options{
		ClientID:     clientID,
		ClientSecret: secret,
		Lifetime:     d.lifetime,
		DPoP:         d.dpop,
		StateFile:    d.dir.path(stateName),
		OnEvent:      d.happened,
	})
	if err != nil {
		return fmt.Errorf("the authorization server: %w", err)
	}
	return d.dir.write(refreshTokenName, d.sandbox.Seed())
}

// happened tells the spectator what happened in the sandbox. After a login it
// also does what the human would: put the new refresh token where the sidecar
// looks for it.
func (d *demo) happened(e sandbox.Event) {
	if e.Kind == sandbox.EventGranted {
		e.Detail += ", in " + d.dir.path(refreshTokenName)
		if err := d.dir.write(refreshTokenName, d.sandbox.Seed()); err != nil {
			e.Detail = err.Error()
		}
	}
	d.out.event(e)
}
