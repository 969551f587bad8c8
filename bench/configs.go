package main

import (
	"fmt"
	"os"
	"strings"
)

// site is a site of a Caddyfile.
func site(address, body string) string {
	_, port, _ := strings.Cut(address, ":")
	return fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n%s}\n", port, body)
}

// staticSite is a reverse_proxy that sends a token which never changes.
func staticSite(auth *authServer, address string) string {
	return site(address, fmt.Sprintf("\treverse_proxy %s {\n\t\theader_up Authorization \"Bearer %s\"\n\t}\n", auth.api, fixed))
}

// client is the block of a client, at the bench's own authorization server.
func client(auth *authServer, more string) string {
	return fmt.Sprintf("{\n\t\ttoken_endpoint %s\n\t\tclient_id bench\n\t\tclient_secret {env.BENCH_SECRET}\n%s\t}\n", auth.endpoint(), more)
}

func caddySite(auth *authServer, address string) string { return staticSite(auth, address) }

// lamplighterSites are two sites with a static token, and two with OAuth.
func lamplighterSites(auth *authServer, static, again, transport, front string) string {
	return "{\n\toauth2_client bench " + client(auth, "") + "}\n" +
		staticSite(auth, static) + staticSite(auth, again) +
		site(transport, fmt.Sprintf("\treverse_proxy %s {\n\t\ttransport oauth2 bench\n\t}\n", auth.api)) +
		frontSite(auth, front, "bench\n")
}

// frontSite is a site with upstream_oauth.
func frontSite(auth *authServer, address, client string) string {
	return site(address, fmt.Sprintf("\tupstream_oauth http://%s {\n\t\tclient %s\t}\n", auth.api, client))
}

// nginxForwarding does what Caddy does by default: it forwards over connections
// that are kept, and says for whom.
const nginxForwarding = `proxy_pass http://api;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-Host $http_host;`

func nginxConfig(auth *authServer, address string) string {
	return nginxServers(auth, nginxStatic(address))
}

// nginxStatic is a server that sends a token which never changes.
func nginxStatic(address string) string {
	return fmt.Sprintf(`	server {
		listen %s;
		location / {
			proxy_set_header Authorization "Bearer %s";
			%s
		}
	}
`, address, fixed, nginxForwarding)
}

// nginxServers is a configuration with servers, and with the API as an upstream.
func nginxServers(auth *authServer, servers string) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	return user + fmt.Sprintf(`daemon off;
worker_processes auto;
pid nginx.pid;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	keepalive_requests 1000000000;
	upstream api {
		server %s;
		keepalive 64;
		keepalive_requests 1000000000;
	}
%s}
`, auth.api, servers)
}

func haproxyConfig(auth *authServer, address string) string {
	return haproxyDefaults + haproxyStatic(address, "api") + fmt.Sprintf(`backend api
	server api %s
`, auth.api)
}

const haproxyDefaults = `defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
	option http-keep-alive
	http-reuse always
`

// haproxyForwarding does what Caddy does by default: it says for whom it forwards.
const haproxyForwarding = `option forwardfor
	http-request set-header X-Forwarded-Proto http
	http-request set-header X-Forwarded-Host %[req.hdr(host)]
`

// haproxyStatic is a frontend that sends a token which never changes.
func haproxyStatic(address, backend string) string {
	return fmt.Sprintf(`frontend static
	bind %s
	http-request set-header Authorization "Bearer %s"
	%s	default_backend %s
`, address, fixed, haproxyForwarding, backend)
}
