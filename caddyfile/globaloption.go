package caddyfile

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"lamplighter/module"
)

const appName = "oauth2_client"

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobalOption)
	httpcaddyfile.RegisterGlobalOption("max_concurrent_refreshes", parseLimit)
}

// parseGlobalOption declares a client for all sites. It may be repeated. Syntax:
//
//	oauth2_client <name> {
//	    <settings>
//	}
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(module.App)
	if existing != nil {
		if err := json.Unmarshal(existing.(httpcaddyfile.App).Value, app); err != nil {
			return nil, err
		}
	}
	for d.Next() {
		if !d.NextArg() {
			return nil, d.Errf("oauth2_client needs a name: 'oauth2_client <name> { … }'")
		}
		here := *d
		name, client, err := parseClient(d)
		if err != nil {
			return nil, err
		}
		if err := add(app, name, client); err != nil {
			return nil, here.WrapErr(err)
		}
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app, nil)}, nil
}

// parseLimit sets how many token requests may run at a time at one authorization
// server. Syntax:
//
//	max_concurrent_refreshes <number>
func parseLimit(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next()
	if existing != nil {
		return nil, d.Err("max_concurrent_refreshes is there twice: remove one")
	}
	var text string
	if !d.AllArgs(&text) {
		return nil, d.ArgErr()
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return nil, d.Errf("max_concurrent_refreshes %s is no number of token requests, such as 16", text)
	}
	return httpcaddyfile.App{
		Name:  "oauth2_client_limits",
		Value: caddyconfig.JSON(module.Limits{MaxConcurrentRefreshes: n}, nil),
	}, nil
}

func add(app *module.App, name string, client *module.Client) error {
	if app.Clients == nil {
		app.Clients = make(map[string]*module.Client)
	}
	known := app.Clients[name]
	if known != nil && !known.Equal(client) {
		return fmt.Errorf("client %s is declared with other settings at %s already: make the declarations equal, or remove one", name, known.DeclaredAt)
	}
	if known == nil {
		app.Clients[name] = client
	}
	return nil
}

// globalClients returns the clients that global options declare.
func globalClients(h httpcaddyfile.Helper) (map[string]*module.Client, error) {
	option, ok := h.Option(appName).(httpcaddyfile.App)
	if !ok {
		return nil, nil
	}
	app := new(module.App)
	err := json.Unmarshal(option.Value, app)
	return app.Clients, err
}
