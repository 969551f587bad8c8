package module

// DemoCaddyfile is the demo's Caddyfile, for tests that adapt it.
func DemoCaddyfile(listen, authorizationServer, api, dir string) string {
	d := demo{listen: listen, authorizationServer: authorizationServer, api: api, dir: demoDir(dir)}
	return d.dir.caddyfile(&d)
}
