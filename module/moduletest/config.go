package moduletest

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// Config is a Caddyfile whose site has a client "erp" and what else is given.
func (s *Sidecar) Config(settings, subdirectives string) string {
	_, port, _ := net.SplitHostPort(s.Address)
	return fmt.Sprintf(`{
	admin off
	debug
	persist_config off
	grace_period 5s
	log {
		output file %[1]s/log
	}
}
http://:%[2]s {
	bind 127.0.0.1
	upstream_oauth %[3]s {
		client erp {
			provider tencent_eiam %[4]s
			client_id %[5]s
			client_secret {file.%[1]s/secret}
			refresh_token {file.%[1]s/seed}
			%[6]s
		}
		%[7]s
	}
}`, s.Dir, port, s.AS.API.URL, s.AS.Tokens.URL, ClientID, settings, subdirectives)
}

// Site is a Caddyfile with the client "erp" as a global option, and a site that
// has these directives.
func (s *Sidecar) Site(settings, directives string) string {
	config := s.Config(settings, "")
	client := config[strings.Index(config, "client erp {"):]
	client = client[:strings.Index(client, "}\n\t\t\n")+1]
	before, _, _ := strings.Cut(config, "upstream_oauth")
	before = strings.Replace(before, "admin off", "admin off\noauth2_"+client, 1)
	return before + directives + "\n}\n"
}

// Faces are the configurations that put a token into a request.
func (s *Sidecar) Faces() map[string]string {
	upstream := strings.TrimPrefix(s.AS.API.URL, "http://")
	return map[string]string{
		"upstream_oauth":   s.Config("", ""),
		"transport oauth2": s.Site("", "reverse_proxy "+upstream+" {\ntransport oauth2 erp\n}"),
		"inject_token":     s.Site("", "inject_token erp\nreverse_proxy "+upstream),
	}
}

// Renamed is a Caddyfile whose client has another name.
func (s *Sidecar) Renamed(name, settings string) string {
	return strings.Replace(s.Config(settings, ""), "client erp {", "client "+name+" {", 1)
}

// Upstreams is the sidecar's configuration with other upstreams.
func (s *Sidecar) Upstreams(upstreams, settings, subdirectives string) string {
	return strings.Replace(s.Config(settings, subdirectives), "upstream_oauth "+s.AS.API.URL, "upstream_oauth "+upstreams, 1)
}

// ConfigWithEvents is a Caddyfile whose option events hands those of these names to the
// handler witness.
func (s *Sidecar) ConfigWithEvents(names ...string) string {
	var subscriptions strings.Builder
	for _, name := range names {
		subscriptions.WriteString("\t\ton " + name + " witness\n")
	}
	return strings.Replace(s.Config("", ""), "{\n", "{\n\tevents {\n"+subscriptions.String()+"\t}\n", 1)
}

// Allowed is the origin of the API, as allow names it.
func (s *Sidecar) Allowed() string {
	switch url := s.AS.API.URL; {
	case strings.HasPrefix(url, "h2c://"):
		return "http://" + strings.TrimPrefix(url, "h2c://")
	case strings.HasPrefix(url, "unix/"):
		return url
	default:
		return url
	}
}

// AsGlobal makes the client "erp" of a configuration a global option.
func (s *Sidecar) AsGlobal(config string) string {
	begin := strings.Index(config, "client erp {")
	end := begin + strings.Index(config[begin:], "\n\t\t}\n") + len("\n\t\t}\n")
	client := strings.TrimPrefix(config[begin:end], "client erp ")
	config = config[:begin] + "client erp\n" + config[end:]
	return strings.Replace(config, "admin off", "admin off\n\toauth2_client erp "+client, 1)
}

// ManyClients is a configuration with n clients of one authorization server.
func ManyClients(n int, tokens, dir string) []byte {
	clients := make(map[string]any, n)
	for i := range n {
		clients[fmt.Sprintf("client-%06d", i)] = map[string]any{
			"token_endpoint": tokens,
			"client_id":      fmt.Sprintf("id-%06d", i),
			"client_secret":  "secret",
			"refresh_token":  fmt.Sprintf("seed-%06d", i),
			"store":          map[string]any{"kind": "file", "path": filepath.Join(dir, "records")},
		}
	}
	cfg, _ := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"level": "PANIC"}}},
		"apps":    map[string]any{"oauth2_client": map[string]any{"clients": clients}},
	})
	return cfg
}
