package test

import (
	"fmt"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// demoServers are the servers of `lamplighter demo`: an authorization server with
// the rules of Tencent EIAM, and an API that accepts only its current token.
type demoServers struct {
	*rig.Demo
	t *testing.T
}

func startDemoServers(t *testing.T, lifetime string) *demoServers {
	t.Helper()
	return &demoServers{rig.StartDemo(t, lifetime), t}
}

func (s *demoServers) stats() rig.DemoStats {
	s.t.Helper()
	return s.Stats()
}

// fault makes token requests go wrong, as the servers' control API describes.
func (s *demoServers) fault(json string) {
	s.t.Helper()
	s.Fault(json)
}

// caddyfile is the configuration of a sidecar for these servers.
func (s *demoServers) caddyfile(address string) string {
	_, port, _ := strings.Cut(address, ":")
	return fmt.Sprintf(`{
	grace_period 10s
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client demo {
			provider tencent_eiam %s
			client_id %s
			client_secret {file.%s}
			refresh_token {file.%s}
		}
	}
}
`, port, s.API, s.AuthorizationServer, s.ClientID, s.ClientSecretFile, s.RefreshTokenFile)
}
