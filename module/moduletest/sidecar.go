// Package moduletest runs a sidecar in the process of a test: with Caddy, a Caddyfile, an
// authorization server and an API. It is for tests alone.
//
// It knows what operators and callers know. It must not know types of the rooms that are
// tested with it.
package moduletest

import (
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyevents/eventsconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/requestbody"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	_ "lamplighter/caddyfile"
	_ "lamplighter/module/admin"
)

// Sidecar runs Caddy in this process. There is one at a time.
type Sidecar struct {
	T       *testing.T
	AS      *Rotating
	Dir     string
	Address string
	Log     string

	// Configure, unless it is nil, is told of the server of ServeOver before that starts.
	Configure func(*http.Server)
}

// NewSidecar prepares one in a folder of its own, with the secrets of a client in files.
// It is stopped when the test ends.
func NewSidecar(t *testing.T, as *Rotating) *Sidecar {
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	for name, content := range map[string]string{"secret": clientSecret + "\n", "seed": firstRefreshToken + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &Sidecar{T: t, AS: as, Dir: dir, Address: FreeAddress(t), Log: filepath.Join(dir, "log")}
}

// Write writes a file into the sidecar's folder.
func Write(t *testing.T, s *Sidecar, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// KeyFiles writes age keys into files of these names.
func (s *Sidecar) KeyFiles(names ...string) {
	s.T.Helper()
	for _, name := range names {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			s.T.Fatal(err)
		}
		Write(s.T, s, name, identity.String()+"\n")
	}
}

// Adapt makes JSON of a Caddyfile.
func Adapt(t *testing.T, config string) []byte {
	t.Helper()
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Validate is 'caddy validate' of a Caddyfile.
func Validate(t *testing.T, config string) error {
	t.Helper()
	return ValidateJSON(string(Adapt(t, config)))
}

// ValidateJSON is that of a configuration in JSON.
func ValidateJSON(config string) error {
	var cfg caddy.Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	return caddy.Validate(&cfg)
}

// Load runs a configuration, in place of the one that runs.
func (s *Sidecar) Load(config string) {
	s.T.Helper()
	if err := caddy.Load(Adapt(s.T, config), true); err != nil {
		s.T.Fatal(err)
	}
	waitForOne(s.Address)
}

// ServeOver starts the API anew over a kind of connection, and returns the options
// of the transport that its upstream needs.
func (s *Sidecar) ServeOver(kind string) (transport string) {
	s.T.Helper()
	api := httptest.NewUnstartedServer(http.HandlerFunc(s.AS.ServeAPI))
	s.T.Cleanup(api.Close)
	s.AS.API = api
	if s.Configure != nil {
		s.Configure(api.Config)
	}
	switch kind {
	case "https with http/1.1", "https with http/2":
		api.EnableHTTP2 = kind == "https with http/2"
		api.StartTLS()
		ca := filepath.Join(s.Dir, "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
		if err := os.WriteFile(ca, text, 0o600); err != nil {
			s.T.Fatal(err)
		}
		return "tls_trust_pool file " + ca
	case "h2c":
		api.Config.Protocols = new(http.Protocols)
		api.Config.Protocols.SetUnencryptedHTTP2(true)
		api.Start()
		api.URL = strings.Replace(api.URL, "http:", "h2c:", 1)
	case "unix socket":
		socket := filepath.Join(s.Dir, "api.sock")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			s.T.Fatal(err)
		}
		_ = api.Listener.Close()
		api.Listener = listener
		api.Start()
		api.URL = "unix/" + socket
	default:
		api.Start()
	}
	return ""
}
