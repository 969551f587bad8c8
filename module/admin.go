package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/words"
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
//	GET /oauth2_client/live               200 while the process works
//	GET /oauth2_client/ready              200 when every client has a valid token;
//	                                      ?client=<name>, repeatable, for some
//
// No answer holds a secret.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.oauth2_client",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

const adminPrefix = "/oauth2_client/"

// Routes returns the endpoints.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminPrefix, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// ClientStatus is a client as the admin API shows it.
type ClientStatus struct {
	// Client is its name.
	Client string `json:"client"`

	// Token is none, valid or expired, or per_caller if each caller has its own.
	Token string `json:"token"`

	// State is starting, ok, refreshing, backoff, awaiting_grant, grant_lost or
	// misconfigured.
	State string `json:"state"`

	// Generation counts the token answers that were kept.
	Generation uint64 `json:"generation"`

	// ObtainedAt is when the newest access token was asked for.
	ObtainedAt time.Time `json:"obtained_at,omitzero"`

	// ExpiresAt is when that token expires.
	ExpiresAt time.Time `json:"expires_at,omitzero"`

	// ExpiresIn is how many seconds that is from now; absent without a valid
	// token.
	ExpiresIn float64 `json:"expires_in,omitzero"`

	// GrantExpiresAt is when the grant ends by itself, so that a new log-in is needed;
	// absent if it does not, or if nobody knows. A refresh may move it.
	GrantExpiresAt time.Time `json:"grant_expires_at,omitzero"`

	// NextRefreshIn is how many seconds from now the next token request is
	// planned; absent if none is.
	NextRefreshIn *float64 `json:"next_refresh_in,omitempty"`

	// Cause explains a State that is not ok in one word, or says beside ok what
	// somebody has to do.
	Cause string `json:"cause,omitempty"`

	// Detail explains it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`

	// Since is when it was noticed.
	Since time.Time `json:"since,omitzero"`

	// Unsaved says that the newest refresh token could not be written yet.
	Unsaved bool `json:"unsaved,omitempty"`

	// CacheEntries is how many tokens of callers are kept, and how many refusals
	// are remembered; absent if the client has a token of its own.
	CacheEntries int `json:"cache_entries,omitempty"`

	// Record is where the client's durable record is; empty if each caller has a
	// token of its own, because those are kept in memory.
	Record string `json:"record"`

	// GrantType is the grant that its token requests use.
	GrantType string `json:"grant_type,omitempty"`

	// TokenEndpoint is scheme, host and path of its token endpoint.
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// DeclaredAt is where it is declared.
	DeclaredAt string `json:"declared_at,omitempty"`

	// History holds the last 50 events, oldest first. Only the answer about one
	// client has it.
	History []ClientEvent `json:"history,omitempty"`
}

// ClientEvent is something that happened to a client.
type ClientEvent struct {
	// At is when.
	At time.Time `json:"at"`

	// Event is its kind, as in logs.
	Event string `json:"event"`

	// Generation is that of the client's token then.
	Generation uint64 `json:"generation"`

	// Status is the HTTP status of the token endpoint's answer, if there was one.
	Status int `json:"status,omitempty"`

	// Duration is how many seconds the token request took.
	Duration float64 `json:"duration,omitempty"`

	// Cause explains trouble in one word.
	Cause string `json:"cause,omitempty"`

	// Detail explains it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`
}

// status is what operators see of the client.
func (c *client) status(st keeper.Status, now time.Time) ClientStatus {
	s := clientStatus(st, now)
	s.Detail, s.Remedy = words.Of(st.Trouble, c.about())
	s.GrantType, s.DeclaredAt, s.CacheEntries = c.cfg.GrantType, c.declaredAt, c.cacheEntries()
	if req, err := c.server.Resolve(nil); err == nil {
		s.TokenEndpoint = c.server.Binding(req).TokenEndpoint
	}
	return s
}

func clientStatus(st keeper.Status, now time.Time) ClientStatus {
	s := ClientStatus{
		Client:     st.Client,
		Token:      st.Token,
		State:      string(st.State),
		Generation: st.Generation,
		ObtainedAt: st.ObtainedAt,
		ExpiresAt:  st.ExpiresAt,
		Cause:      st.Trouble.Cause,
		Unsaved:    st.Unsaved,
		Record:     st.Record,
	}
	s.GrantExpiresAt = st.GrantExpiresAt
	if st.Token == "valid" {
		s.ExpiresIn = math.Round(st.ExpiresAt.Sub(now).Seconds()*1000) / 1000
	}
	if st.Trouble.At != 0 {
		s.Since = time.Unix(0, st.Trouble.At).UTC()
	}
	if st.Planned {
		next := math.Round(st.NextAttempt.Seconds()*1000) / 1000
		s.NextRefreshIn = &next
	}
	return s
}

// hasToken reports whether requests find a token, as ClientStatus.Token tells.
func hasToken(token string) bool { return token == "valid" || token == tokenPerCaller }

// runningApp returns the app of the running configuration, nil if it has none.
func runningApp() (*App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("oauth2_client")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

func (a adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, adminPrefix), "/")
	if path == "live" {
		return answerGet(w, r, map[string]bool{"live": true})
	}
	if caddy.ActiveContext().Context == nil {
		return notStarted(w, path)
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
	i := slices.IndexFunc(clients, func(c *client) bool { return c.name == name })
	if i < 0 {
		return unknownClient(name, clients)
	}
	return a.one(w, r, clients[i], action)
}

// notStarted answers while the first configuration is being started: no client is
// known, which must not be taken for all being well.
func notStarted(w http.ResponseWriter, path string) error {
	if path == "ready" {
		return writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "waiting": []ClientStatus{}})
	}
	return caddy.APIError{
		HTTPStatus: http.StatusServiceUnavailable,
		Err:        errors.New("no configuration has started yet; ask again in a moment, or see the log for what is wrong with it"),
	}
}

// one serves one client.
func (a adminAPI) one(w http.ResponseWriter, r *http.Request, c *client, action string) error {
	actions := map[string]func(http.ResponseWriter, *http.Request, *client) error{
		"refresh": a.refresh,
		"import":  a.imports,
		"revoke":  a.revoke,
		"login":   a.login,
		"adopt":   a.adopt,
	}
	if action == "" {
		s := c.status(c.state(), time.Now())
		s.History = c.counts.history.shown(c.about())
		return answerGet(w, r, s)
	}
	act, ok := actions[action]
	if !ok {
		return errNothingHere
	}
	if r.Method != http.MethodPost {
		return notAllowed(http.MethodPost)
	}
	if err := c.errPerCaller(); err != nil {
		return err
	}
	return act(w, r, c)
}

var errNothingHere = caddy.APIError{
	HTTPStatus: http.StatusNotFound,
	Err:        errors.New("nothing is served here; there are clients, clients/<client>, clients/<client>/refresh, /import, /revoke, /login and /adopt, ready and live"),
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

func runningClients() ([]*client, error) {
	app, err := runningApp()
	if err != nil || app == nil {
		return nil, err
	}
	return app.list(), nil
}

func statuses(clients []*client) []ClientStatus {
	list := make([]ClientStatus, 0, len(clients))
	for _, c := range clients {
		list = append(list, c.status(c.state(), time.Now()))
	}
	return list
}

// ready answers 200 if the named clients, or all, have a valid token.
func ready(w http.ResponseWriter, clients []*client, names []string) error {
	asked := clients
	if len(names) > 0 {
		asked = nil
	}
	for _, name := range names {
		i := slices.IndexFunc(clients, func(c *client) bool { return c.name == name })
		if i < 0 {
			return unknownClient(name, clients)
		}
		asked = append(asked, clients[i])
	}
	waiting := []ClientStatus{}
	for _, c := range asked {
		if st := c.state(); !hasToken(st.Token) {
			waiting = append(waiting, c.status(st, time.Now()))
		}
	}
	status := http.StatusOK
	if len(waiting) > 0 {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, map[string]any{"ready": len(waiting) == 0, "waiting": waiting})
}

func unknownClient(name string, clients []*client) error {
	const most = 20
	names := make([]string, 0, most+1)
	for _, c := range clients[:min(most, len(clients))] {
		names = append(names, c.name)
	}
	if more := len(clients) - most; more > 0 {
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
