package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/adminapi"
	"lamplighter/module/client"
	"lamplighter/module/doctor"
	"lamplighter/module/listen"
)

// Reaches says where requests with a client's token go, for who examines that.
func (a *App) Reaches(u doctor.Upstream) {
	a.declaring.Lock()
	defer a.declaring.Unlock()
	a.upstreams = append(a.upstreams, u)
}

// Examine looks at the clients, one step after the other.
func (a *App) Examine(ctx context.Context, req adminapi.DoctorRequest) (*adminapi.DoctorAnswer, error) {
	all := a.set.List()
	chosen := all
	if req.Client != "" {
		chosen = slices.DeleteFunc(slices.Clone(all), func(c *client.Client) bool { return c.Name() != req.Client })
	}
	if len(chosen) == 0 && req.Client != "" {
		names := make([]string, 0, len(all))
		for _, c := range all {
			names = append(names, c.Name())
		}
		return nil, fmt.Errorf("no client %s; there are: %s", req.Client, strings.Join(names, ", "))
	}
	addresses, err := a.addresses()
	if err != nil {
		return nil, err
	}
	a.declaring.Lock()
	upstreams := slices.Clone(a.upstreams)
	a.declaring.Unlock()
	d := &doctor.Doctor{Clients: all, Upstreams: upstreams, Addresses: addresses, Running: a.started.Load(), Stranger: req.Stranger}
	answer := &adminapi.DoctorAnswer{Checks: d.Examine(ctx, chosen, req.Ask)}
	if file := serving.Load(); file != nil {
		answer.File = *file
	}
	return answer, nil
}

// addresses are those that the HTTP servers of the same configuration listen on.
func (a *App) addresses() ([]listen.Address, error) {
	app, err := a.ctx.AppIfConfigured("http")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return listen.Addresses(app.(*caddyhttp.App)), nil
}
