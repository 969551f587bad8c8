package caddyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"lamplighter/module"
	"lamplighter/module/nearest"
	"lamplighter/module/settings"
)

const appName = "oauth2_client"

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobalOption)
	httpcaddyfile.RegisterGlobalOption("max_concurrent_refreshes", parseLimit)
	httpcaddyfile.RegisterGlobalOption("oauth2_store", parseDefaultStore)
}

// parseGlobalOption declares a client for all sites. It may be repeated. Syntax:
//
//	oauth2_client <name> {
//	    <settings>
//	}
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	option, _ := existing.(httpcaddyfile.App)
	for d.Next() {
		if !d.NextArg() {
			return nil, d.Errf("oauth2_client needs a name: 'oauth2_client <name> { … }'")
		}
		here := *d
		name, client, err := parseClient(d)
		if err != nil {
			return nil, err
		}
		if option.Value, err = add(option.Value, name, client); err != nil {
			return nil, here.WrapErr(err)
		}
	}
	option.Name = appName
	return option, nil
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

// parseDefaultStore says where the records of clients are kept that name no store.
// Syntax:
//
//	oauth2_store <kind> {
//	    <options of the kind>
//	}
func parseDefaultStore(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next()
	if existing != nil {
		return nil, d.Err("oauth2_store is there twice: remove one")
	}
	store, err := parseStore(d)
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{
		Name:  "oauth2_client_store",
		Value: caddyconfig.JSON(module.DefaultStore{Store: store}, nil),
	}, nil
}

// add puts one more client into the JSON of the app. There may be very many, so
// those that are there are only read if one of them may have the same name.
func add(app json.RawMessage, name string, client *settings.Client) (json.RawMessage, error) {
	const begin, end = `{"clients":{`, `}}`
	key := fmt.Sprintf("%q:", name) // of characters that JSON need not escape
	member := append([]byte(key), caddyconfig.JSON(client, nil)...)
	if app == nil {
		return slices.Concat([]byte(begin), member, []byte(end)), nil
	}
	if bytes.Contains(app, []byte(key)) {
		var known module.App
		if err := json.Unmarshal(app, &known); err != nil {
			return nil, err
		}
		if same := known.Clients[name]; same != nil && !same.Equal(client) {
			return nil, fmt.Errorf("client %s is declared with other settings at %s already: make the declarations equal, or remove one", name, same.DeclaredAt)
		} else if same != nil {
			return app, nil
		}
	}
	app = append(app[:len(app)-len(end)], ',')
	return append(append(app, member...), end...), nil
}

// globalClients returns the clients that global options declare.
func globalClients(h httpcaddyfile.Helper) (map[string]*settings.Client, error) {
	option, ok := h.Option(appName).(httpcaddyfile.App)
	if !ok {
		return nil, nil
	}
	app := new(module.App)
	err := json.Unmarshal(option.Value, app)
	return app.Clients, err
}

// undeclared says of a client that no global option declares what to write.
func undeclared(name string, global map[string]*settings.Client) string {
	hint := nearest.Hint(name, slices.Sorted(maps.Keys(global))...)
	return fmt.Sprintf("client %[1]s is not declared%[2]s: add the global option 'oauth2_client %[1]s { … }'", name, hint)
}
