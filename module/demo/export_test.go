package demo

// Caddyfile is the demo's Caddyfile, for tests that adapt it.
func Caddyfile(listen, authorizationServer, api, dir string) string {
	d := demo{listen: listen, authorizationServer: authorizationServer, api: api, dir: directory(dir)}
	return d.dir.caddyfile(&d)
}

// ProvingCaddyfile is that of a demo whose servers demand proofs of possession.
func ProvingCaddyfile(listen, authorizationServer, api, dir string) string {
	d := demo{listen: listen, authorizationServer: authorizationServer, api: api, dir: directory(dir), dpop: true}
	return d.dir.caddyfile(&d)
}
