package rig

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Demo are the servers of `lamplighter demo`, in a process of their own: an authorization
// server with the rules of Tencent EIAM, and an API that accepts only its current token.
type Demo struct {
	T                   *testing.T
	AuthorizationServer string `json:"authorization_server"`
	API                 string `json:"api"`
	ClientID            string `json:"client_id"`
	ClientSecretFile    string `json:"client_secret_file"`
	RefreshTokenFile    string `json:"refresh_token_file"`
}

// DemoStats is what they counted.
type DemoStats struct {
	TokenRequests   int `json:"token_requests"`
	Refused         int `json:"refused"`
	Spent           int `json:"spent_refresh_tokens"`
	APIUnauthorized int `json:"api_unauthorized"`
	Generation      int `json:"generation"`
	Proofs          int `json:"proofs"`
	ReplayedProofs  int `json:"replayed_proofs"`
	NoncesDemanded  int `json:"nonces_demanded"`
}

// StartDemo starts them, with access tokens of a lifetime and further flags. They end with the
// test.
func StartDemo(t *testing.T, lifetime string, flags ...string) *Demo {
	t.Helper()
	p := Start(t, Home(t), append([]string{
		"demo", "--server-only", "--json", "--lifetime", lifetime,
		"--authorization-server", "127.0.0.1:0", "--api", "127.0.0.1:0",
	}, flags...)...)
	d := &Demo{T: t}
	Eventually(t, "the servers listen", func() bool {
		lines := bufio.NewScanner(strings.NewReader(p.Output.String()))
		for lines.Scan() {
			if json.Unmarshal(lines.Bytes(), d) == nil && d.API != "" {
				return true
			}
		}
		return false
	})
	return d
}

// Stats asks what they counted.
func (d *Demo) Stats() (stats DemoStats) {
	d.T.Helper()
	d.control(http.MethodGet, "stats", "", &stats)
	return stats
}

// Fault makes token requests go wrong, as the servers' control API describes.
func (d *Demo) Fault(json string) {
	d.T.Helper()
	d.control(http.MethodPost, "faults", json, nil)
}

// Login has somebody log in anew, and returns the refresh token that this gives.
func (d *Demo) Login() string {
	d.T.Helper()
	var granted struct {
		RefreshToken string `json:"refresh_token"`
	}
	d.control(http.MethodPost, "grant", "", &granted)
	return granted.RefreshToken
}

func (d *Demo) control(method, what, sent string, answer any) {
	d.T.Helper()
	req, err := http.NewRequestWithContext(d.T.Context(), method, d.AuthorizationServer+"/_sandbox/"+what, strings.NewReader(sent))
	if err != nil {
		d.T.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.T.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && answer != nil {
		err = json.Unmarshal(body, answer)
	}
	if err != nil || res.StatusCode >= 300 {
		d.T.Fatalf("%d %s: %v", res.StatusCode, body, err)
	}
}
