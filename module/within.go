package module

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/listen"
	"lamplighter/module/placeholder"
)

// Within is told by a handler of ours whose it is, where it was provisioned. It warns, once for each
// server, of a site that answers nobody but this machine's own words for itself; and if
// nobody else may listen where this process is to, somebody who does is an error.
func (a *App) Within(ctx caddy.Context, where placeholder.Where) error {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server != nil && a.firstIn(server) {
		for _, site := range listen.Narrow(server) {
			ctx.Logger().Warn(fmt.Sprintf("the site %s listens on every interface, and answers only requests whose Host is %s: all others get an empty 200; write 'http://%s' and 'bind %s' in it", site.Host, site.Host, site.Port, site.Bind),
				where.Fields()...)
		}
	}
	for _, m := range ctx.Modules() {
		if app, ok := m.(*caddyhttp.App); ok {
			if err := listen.Claim(ctx, app); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstIn reports whether a server was not seen before.
func (a *App) firstIn(server *caddyhttp.Server) bool {
	a.declaring.Lock()
	defer a.declaring.Unlock()
	if a.servers[server] {
		return false
	}
	if a.servers == nil {
		a.servers = make(map[*caddyhttp.Server]bool)
	}
	a.servers[server] = true
	return true
}
