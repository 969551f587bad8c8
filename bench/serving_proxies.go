package main

import (
	"context"
	"path/filepath"
	"strings"
)

// startNginx starts one nginx with a server for each way to get a token.
func (s *serving) startNginx(ctx context.Context, b *bench, auth *authServer) error {
	blocks, err := b.examples("nginx", 5)
	if err != nil {
		return err
	}
	const home = "serving-nginx"
	var servers strings.Builder
	servers.WriteString(nginxStatic(s.nginx.address) + nginxStatic(s.again.address))
	for _, site := range []struct {
		*proxy
		name, socket string
	}{{s.each, "each", s.token}, {s.cached, "cached", s.cache}} {
		server, err := replaced(blocks[0], "unix:/run/lamplighter/token.sock", "unix:"+site.socket, "upstream lamplighter ", "upstream "+site.name+" ",
			"lamplighter.conf", site.name+".conf", "listen 8080", "listen "+site.address, "proxy_pass https://erp.example.com;", nginxForwarding)
		if err != nil {
			return err
		}
		included, err := replaced(blocks[1], "http://lamplighter/erp", "http://"+site.name+"/erp")
		if err != nil {
			return err
		}
		if site.proxy == s.cached {
			kept, err := replaced(blocks[2], "/run/nginx/token", filepath.Join(b.dir, home, "kept"))
			if err != nil {
				return err
			}
			if server, err = replaced(server, "proxy_set_header Lamplighter-Rejected $generation;", "proxy_set_header Lamplighter-Rejected $generation;\n"+blocks[4]); err != nil {
				return err
			}
			server, included = kept+server, included+blocks[3]
		}
		servers.WriteString(server)
		if err := writeFile(filepath.Join(b.dir, home), site.name+".conf", included); err != nil {
			return err
		}
	}
	s.nginx.process, s.nginx.missing, err = b.startProgram(ctx, home, "nginx", nginxServers(auth, servers.String()), s.nginx.address, nginxArgs)
	for _, p := range []*proxy{s.again, s.each, s.cached} {
		p.process, p.missing = s.nginx.process, s.nginx.missing
	}
	s.each.beside, s.cached.beside = s.front.process, s.front.process
	return err
}

// startHAProxy starts one HAProxy whose script asks for each request, and another
// whose script asks once a second: both scripts have the same name for what they do.
func (s *serving) startHAProxy(ctx context.Context, b *bench, auth *authServer) error {
	configs, err := b.examples("haproxy", 1)
	if err != nil {
		return err
	}
	scripts, err := b.examples("lua", 2)
	if err != nil {
		return err
	}
	script, err := replaced(scripts[0], "unix@/run/lamplighter/token.sock", "unix@"+s.token)
	if err != nil {
		return err
	}
	shared, _, _ := strings.Cut(script, `core.register_action("token"`)
	for _, asks := range []struct {
		*proxy
		home, script string
	}{{s.script, "serving-haproxy", script}, {s.task, "serving-haproxy-task", shared + scripts[1]}} {
		config, err := replaced(configs[0], "/etc/haproxy/lamplighter.lua", "lamplighter.lua", "bind :8080", "bind "+asks.address,
			"default_backend erp", haproxyForwarding+"\tdefault_backend erp",
			"erp.example.com:443 ssl verify required ca-file @system-ca sni str(erp.example.com)", auth.api)
		if err != nil {
			return err
		}
		if asks.proxy == s.script {
			config += haproxyStatic(s.haproxy.address, "erp")
		}
		if err := writeFile(filepath.Join(b.dir, asks.home), "lamplighter.lua", asks.script); err != nil {
			return err
		}
		if asks.process, asks.missing, err = b.startProgram(ctx, asks.home, "haproxy", config, asks.address, haproxyArgs); err != nil {
			return err
		}
		asks.beside = s.front.process
	}
	s.haproxy.process, s.haproxy.missing = s.script.process, s.script.missing
	return nil
}
