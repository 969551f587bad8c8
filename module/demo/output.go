package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lamplighter/module/internal/sandbox"
)

// output tells the spectator of a demo what happens: in lines to read, or
// as JSON.
type output struct {
	mu   sync.Mutex
	w    io.Writer
	json bool
}

// event prints what happened in the sandbox.
func (o *output) event(e sandbox.Event) {
	o.line(e, e.Time, e.Kind, e.Detail)
}

// sidecar prints what happened to the sidecar; pid is 0 unless it runs.
func (o *output) sidecar(pid int, format string, args ...any) {
	event := struct {
		Time   time.Time `json:"time"`
		Kind   string    `json:"event"`
		PID    int       `json:"pid,omitempty"`
		Detail string    `json:"detail"`
	}{time.Now(), "sidecar", pid, fmt.Sprintf(format, args...)}
	o.line(event, event.Time, event.Kind, event.Detail)
}

func (o *output) line(event any, at time.Time, kind, detail string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.json {
		_ = json.NewEncoder(o.w).Encode(event)
		return
	}
	fmt.Fprintf(o.w, "%s  %-12s  %s\n", at.Format(time.TimeOnly), kind, detail)
}

// introduceServers says what runs without a sidecar.
func (o *output) introduceServers(d *demo) {
	o.listening(d, nil)
	if o.json {
		return
	}
	if d.dpop {
		fmt.Fprintln(o.w, "Each token request, and each request of the API, needs a proof of possession (DPoP).")
	}
	fmt.Fprintf(o.w, `An authorization server with the rules of Tencent EIAM, and an API that accepts
nothing but its current access token, which lives %v.

  token endpoint   http://%s/auth/oauth2/token
  API              http://%s
  client_id        %s
  client_secret    in %s
  refresh_token    in %s
  statistics       http://%[2]s/_sandbox/stats

`, d.lifetime, d.authorizationServer, d.api, clientID, d.dir.path(clientSecretName), d.dir.path(refreshTokenName))
}

// introduce says what runs, what configuration the sidecar has, and what to try.
func (o *output) introduce(d *demo, s *sidecar) {
	o.listening(d, s)
	if o.json {
		return
	}
	// What runs is what is on the disk, perhaps edited by the user.
	caddyfile, err := os.ReadFile(d.dir.path(caddyfileName))
	if err != nil {
		caddyfile = []byte(err.Error())
	}
	fmt.Fprintf(o.w, `An authorization server with the rules of Tencent EIAM, an API that accepts
nothing but its current access token, which lives %v, and the sidecar between
them and you.

  authorization server   http://%s
  API                    http://%s
  sidecar                http://%s
  its configuration      %s
  its log                %s

%s
Try, in another terminal:

  curl http://%[4]s/orders              # the application's call, no token in sight
  curl http://%[4]s/orders -d 'a body'  # a POST
  curl -i http://%[3]s/orders           # the API itself, without a token: 401
  curl http://%[2]s/_sandbox/stats      # what the authorization server counted
`, d.lifetime, d.authorizationServer, d.api, d.listen, d.dir.path(caddyfileName), s.log, indent(string(caddyfile)))
	fmt.Fprintf(o.w, `  %s tokens list --address 'unix/%s'

Make trouble:

  curl http://%[3]s/_sandbox/faults -d '{"kind":"cut_before","times":5}'   # an outage
  curl -X POST http://%[3]s/_sandbox/revoke   # the grant is revoked
  curl -X POST http://%[3]s/_sandbox/grant    # a human logs in again
  kill -9 the sidecar, or this demo, and start it again

Ctrl-C ends everything, and keeps the files: all of these lines work again when it is
started again.

`, program(), s.socket, d.authorizationServer)
}

// program is how this program is called again. What 'go run' builds is gone when it ends.
func program() string {
	if strings.Contains(filepath.ToSlash(os.Args[0]), "/go-build") {
		return "go run ./cmd/lamplighter"
	}
	return os.Args[0]
}

// listening prints, as JSON, where everything is.
func (o *output) listening(d *demo, s *sidecar) {
	if !o.json {
		return
	}
	event := map[string]any{
		"time": time.Now(), "event": "listening",
		"token_endpoint":       "http://" + d.authorizationServer + "/auth/oauth2/token",
		"authorization_server": "http://" + d.authorizationServer,
		"api":                  "http://" + d.api,
		"client_id":            clientID,
		"client_secret_file":   d.dir.path(clientSecretName),
		"refresh_token_file":   d.dir.path(refreshTokenName),
	}
	if s != nil {
		event["sidecar"] = "http://" + s.listen
		event["caddyfile"] = d.dir.path(caddyfileName)
		event["log"] = s.log
		event["admin"] = "unix/" + s.socket
	}
	o.line(event, time.Time{}, "", "")
}

func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			out.WriteString("  ")
		}
		out.WriteString(line)
	}
	return out.String()
}
