package demo

// Caddyfile is the demo's Caddyfile, for tests that adapt it.
func Caddyfile(listen, authorizationServer, api, dir string) string {
	d := demo{listen: listen, authorizationServer: authorizationServer, api: api, dir: directory(dir)}
	return d.dir.caddyfile(&d)
}
