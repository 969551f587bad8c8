package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// demoServers are the servers of `lamplighter demo`: an authorization server with
// the rules of Tencent EIAM, and an API that accepts only its current token.
type demoServers struct {
	t                   *testing.T
	AuthorizationServer string `json:"authorization_server"`
	API                 string `json:"api"`
	ClientID            string `json:"client_id"`
	ClientSecretFile    string `json:"client_secret_file"`
	RefreshTokenFile    string `json:"refresh_token_file"`
}

// demoStats is what they counted.
type demoStats struct {
	TokenRequests   int `json:"token_requests"`
	Refused         int `json:"refused"`
	Spent           int `json:"spent_refresh_tokens"`
	APIUnauthorized int `json:"api_unauthorized"`
	Generation      int `json:"generation"`
}

func startDemoServers(t *testing.T, lifetime string) *demoServers {
	t.Helper()
	p := rig.Start(t, rig.Home(t), "demo", "--server-only", "--json", "--lifetime", lifetime,
		"--authorization-server", "127.0.0.1:0", "--api", "127.0.0.1:0")
	s := &demoServers{t: t}
	rig.Eventually(t, "the servers listen", func() bool {
		lines := bufio.NewScanner(strings.NewReader(p.Output.String()))
		for lines.Scan() {
			if json.Unmarshal(lines.Bytes(), s) == nil && s.API != "" {
				return true
			}
		}
		return false
	})
	return s
}

func (s *demoServers) stats() (stats demoStats) {
	s.t.Helper()
	res, err := http.Get(s.AuthorizationServer + "/_sandbox/stats")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(body, &stats)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return stats
}

// fault makes token requests go wrong, as the servers' control API describes.
func (s *demoServers) fault(json string) {
	s.t.Helper()
	res, err := http.Post(s.AuthorizationServer+"/_sandbox/faults", "application/json", strings.NewReader(json))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		body, _ := io.ReadAll(res.Body)
		s.t.Fatalf("%d %s", res.StatusCode, body)
	}
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
