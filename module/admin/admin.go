// Package admin answers what Caddy's admin endpoint is asked about clients: it reads
// requests, and writes what the clients of the running configuration say.
//
// It knows the app, its clients and the types on the wire. It must not know keepers, records
// or the authorization server.
package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module"
	"lamplighter/module/adminapi"
	"lamplighter/module/client"
	"lamplighter/module/observe"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI serves the state of clients on Caddy's admin endpoint:
//
//	GET /oauth2_client/clients            every client
//	GET /oauth2_client/clients/<client>   one client, with its last events
//	POST …/clients/<client>/refresh       obtains a new token now, and waits for
//	                                      the outcome; ?force=true despite Retry-After
//	POST …/clients/<client>/import        the same with a new refresh token:
//	                                      {"refresh_token": "…"}
//	POST …/clients/<client>/revoke        ends the grant at the server (RFC 7009)
//	POST …/clients/<client>/login         a step of a log-in: see LoginRequest
//	POST …/clients/<client>/adopt         carries another record's grant over: see
//	                                      AdoptRequest
//	POST /oauth2_client/doctor            examines all clients, or one: see
//	                                      DoctorRequest
//	POST …/clients/<client>/token         the access token itself, for clients with
//	                                      allow_print, over a unix socket of mode
//	                                      0600 alone: see TokenRequest
//	GET /oauth2_client/live               200 while the process works, with its version
//	GET /oauth2_client/ready              200 when every client has a valid token;
//	                                      ?client=<name>, repeatable, for some
//
// No answer but that of token holds a secret.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.oauth2_client",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes returns the endpoints.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminapi.Prefix, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// runningApp returns the app of the running configuration, nil if it has none.
func runningApp() (*module.App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("oauth2_client")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return app.(*module.App), nil
}

func (a adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, adminapi.Prefix), "/")
	if path == "live" {
		return answerGet(w, r, adminapi.Live{Live: true, Version: observe.Version(), StartedAt: observe.Started.UTC().Truncate(time.Second)})
	}
	if caddy.ActiveContext().Context == nil {
		return notStarted(w, path)
	}
	if path == "doctor" {
		return examine(w, r)
	}
	clients, err := runningClients()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}
	switch path {
	case "", "clients":
		return answerGet(w, r, statuses(clients))
	case "ready":
		if r.Method != http.MethodGet {
			return notAllowed(http.MethodGet)
		}
		return ready(w, clients, r.URL.Query()["client"])
	}
	name, ok := strings.CutPrefix(path, "clients/")
	if !ok {
		return errNothingHere
	}
	name, action, _ := strings.Cut(name, "/")
	i := slices.IndexFunc(clients, func(c *client.Client) bool { return c.Name() == name })
	if i < 0 {
		return unknownClient(name, namesOf(clients))
	}
	return a.one(w, r, clients[i], action)
}

// notStarted answers while the first configuration is being started: no client is
// known, which must not be taken for all being well.
func notStarted(w http.ResponseWriter, path string) error {
	if path == "ready" {
		return writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "waiting": []adminapi.ClientStatus{}})
	}
	return caddy.APIError{
		HTTPStatus: http.StatusServiceUnavailable,
		Err:        errors.New("no configuration has started yet; ask again in a moment, or see the log for what is wrong with it"),
	}
}

// one serves one client.
func (a adminAPI) one(w http.ResponseWriter, r *http.Request, c *client.Client, action string) error {
	actions := map[string]func(http.ResponseWriter, *http.Request, *client.Client) error{
		"refresh": a.refresh,
		"import":  a.imports,
		"revoke":  a.revoke,
		"login":   a.login,
		"adopt":   a.adopt,
		"token":   a.token,
	}
	if action == "" {
		s := c.Status()
		s.History = c.History()
		return answerGet(w, r, s)
	}
	act, ok := actions[action]
	if !ok {
		return errNothingHere
	}
	if r.Method != http.MethodPost {
		return notAllowed(http.MethodPost)
	}
	if c.Settings().PerCaller() {
		return caddy.APIError{
			HTTPStatus: http.StatusConflict,
			Err:        errors.New("client " + c.Name() + " has a token for each caller, and none of its own"),
		}
	}
	return act(w, r, c)
}

var errNothingHere = caddy.APIError{
	HTTPStatus: http.StatusNotFound,
	Err:        errors.New("nothing is served here; there are clients, clients/<client>, clients/<client>/refresh, /import, /revoke, /login, /adopt and /token, doctor, ready and live"),
}

func notAllowed(method string) error {
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method not allowed: use %s", method)}
}

func answerGet(w http.ResponseWriter, r *http.Request, v any) error {
	if r.Method != http.MethodGet {
		return notAllowed(http.MethodGet)
	}
	return writeJSON(w, http.StatusOK, v)
}

func runningClients() ([]*client.Client, error) {
	app, err := runningApp()
	if err != nil || app == nil {
		return nil, err
	}
	return app.List(), nil
}

func statuses(clients []*client.Client) []adminapi.ClientStatus {
	list := make([]adminapi.ClientStatus, 0, len(clients))
	for _, c := range clients {
		list = append(list, c.Status())
	}
	return list
}

// ready answers 200 if the named clients, or all, have a valid token.
func ready(w http.ResponseWriter, clients []*client.Client, names []string) error {
	asked := clients
	if len(names) > 0 {
		asked = nil
	}
	for _, name := range names {
		i := slices.IndexFunc(clients, func(c *client.Client) bool { return c.Name() == name })
		if i < 0 {
			return unknownClient(name, namesOf(clients))
		}
		asked = append(asked, clients[i])
	}
	waiting := []adminapi.ClientStatus{}
	for _, c := range asked {
		if !c.HasToken() {
			waiting = append(waiting, c.Status())
		}
	}
	status := http.StatusOK
	if len(waiting) > 0 {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, map[string]any{"ready": len(waiting) == 0, "waiting": waiting})
}

func namesOf(clients []*client.Client) (names []string) {
	for _, c := range clients {
		names = append(names, c.Name())
	}
	return names
}

func unknownClient(name string, known []string) error {
	const most = 20
	names := slices.Clone(known[:min(most, len(known))])
	if more := len(known) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return caddy.APIError{
		HTTPStatus: http.StatusNotFound,
		Err:        fmt.Errorf("no client %q; there are: %s", name, strings.Join(names, ", ")),
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

// Interface guards
var (
	_ caddy.Module      = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
