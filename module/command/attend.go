package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"lamplighter/module/adminapi"
	"lamplighter/module/scratch"
)

// attend provisions a configuration, and has its app attend one of its clients in this
// process, without an instance. The client is to be closed.
func attend(ctx context.Context, fl caddycmd.Flags, name string) (adminapi.Attended, error) {
	if err := asOther(fl); err != nil {
		return nil, err
	}
	app, file, err := configuredApp(fl)
	if err != nil {
		return nil, err
	}
	c, names := app.(adminapi.Attendant).Attend(name)
	if c == nil {
		return nil, fmt.Errorf("%s has no client %s; there are: %s", file, name, strings.Join(names, ", "))
	}
	return c, c.Open(ctx)
}

var errNoConfiguration = errors.New("there is no configuration here: name it with --config")

// configuredApp provisions the app of a configuration, and starts nothing.
func configuredApp(fl caddycmd.Flags) (app any, file string, err error) {
	config, file, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, "", err
	}
	if len(config) == 0 || file == "" {
		return nil, "", errNoConfiguration
	}
	cfg := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(scratch.Config(config), cfg); err != nil {
		return nil, "", fmt.Errorf("%s: %w", file, err)
	}
	provisioned, err := caddy.ProvisionContext(cfg)
	if err != nil {
		return nil, "", err
	}
	if app, err = provisioned.AppIfConfigured("oauth2_client"); err != nil {
		return nil, "", fmt.Errorf("%s has no clients", file)
	}
	return app, file, nil
}
