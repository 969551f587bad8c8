package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// fakeInstance is the admin API of an instance with many clients in many states.
type fakeInstance struct {
	*httptest.Server
	away atomic.Bool
}

// object is one of JSON.
type object = map[string]any

// shopClients are in the states that there are, as of a moment.
func shopClients(now time.Time) []object {
	const store = "postgres://lamplighter@db.example.com/lamplighter"
	client := func(name string, lived, left, next time.Duration, more object) object {
		c := object{
			"client": name, "token": "valid", "state": "ok", "generation": 41, "grant_type": "refresh_token", "new_grant_by": []string{"import", "login", "device"},
			"obtained_at": now.Add(-lived), "expires_at": now.Add(left), "expires_in": left.Seconds(), "next_refresh_in": next.Seconds(),
			"token_endpoint": "https://acme.example.com/auth/oauth2/token", "record": "/var/lib/lamplighter/records/" + name + ".json", "declared_at": "Caddyfile:8",
			"requests": object{"sent": 1204},
		}
		for field, value := range more {
			if c[field] = value; value == nil {
				delete(c, field)
			}
		}
		return c
	}
	shared := func(holder string, held bool) object {
		return object{"store": store, "store_up": true, "lease_holder": holder, "lease_held": held, "record": "postgres lamplighter_records"}
	}
	return []object{
		client("billing", 40*time.Minute, 80*time.Minute, 40*time.Minute, nil),
		client("crm", 41*time.Minute, 19*time.Minute, 18*time.Second, object{
			"state": "backoff", "cause": "server_error", "since": now.Add(-75 * time.Second), "detail": "the token endpoint answered 502",
			"remedy": "none needed if it passes: the token request is repeated",
		}),
		client("erp", 107*time.Minute, 13*time.Minute, 0, object{
			"state": "grant_lost", "cause": "refused", "since": now.Add(-10 * time.Minute), "next_refresh_in": nil,
			"detail": `the refresh token was refused: the token endpoint answered 401 invalid_request ("invalid_token")`,
			"remedy": "log in with 'lamplighter tokens login erp', or hand a new refresh token over with 'lamplighter tokens import erp', or put one into the file that the refresh_token setting reads; none of them needs a restart",
		}),
		client("orders.eu-west", 31*time.Minute, 29*time.Minute, 9*time.Minute, shared("shop-2c41", false)),
		client("orders.us-east", 12*time.Minute, 48*time.Minute, 28*time.Minute, shared("shop-7d9f", true)),
		client("users", 0, 0, 0, object{"token": "per_caller", "obtained_at": nil, "expires_at": nil, "expires_in": nil, "next_refresh_in": nil, "cache_entries": 212, "record": ""}),
		client("warehouse", 5*time.Minute, 55*time.Minute, 35*time.Minute, object{
			"cause": "token_rejected", "detail": "https://wms.example.com answered 401 insufficient_scope to the access token",
			"remedy":        "check that the token is meant for that upstream: scope, audience and resource of client warehouse, and with inject where it expects it",
			"last_rejected": object{"at": now.Add(-12 * time.Second), "upstream": "https://wms.example.com", "status": 401, "error": "insufficient_scope", "generation": 7, "in_a_row": 48},
		}),
	}
}

// newFakeInstance serves these clients, and so many more that are well.
func newFakeInstance(t *testing.T, more int) *fakeInstance {
	now := time.Now()
	clients := shopClients(now)
	for i := range more {
		c := shopClients(now)[0]
		c["client"] = fmt.Sprintf("client-%04d", i)
		clients = append(clients, c)
	}
	history := []object{
		{"at": now.Add(-4 * time.Hour), "event": "token_obtained", "generation": 40, "because_of": 401},
		{"at": now.Add(-107 * time.Minute), "event": "token_obtained", "generation": 41, "duration": 0.084},
		{"at": now.Add(-107 * time.Minute), "event": "refresh_token_rotated", "generation": 41},
		{"at": now.Add(-10 * time.Minute), "event": "grant_lost", "generation": 41, "status": 401, "cause": "refused", "detail": `the token endpoint answered 401 invalid_request ("invalid_token")`},
	}
	in := new(fakeInstance)
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/oauth2_client/clients"), "/")
		if in.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"error":"no configuration has started yet"}`)
			return
		}
		if name == "oauth2_client/live" {
			_ = json.NewEncoder(w).Encode(object{"live": true, "version": "v1.0.0", "started_at": now.Add(-3*24*time.Hour - time.Hour)})
			return
		}
		if name == "" {
			_ = json.NewEncoder(w).Encode(clients)
			return
		}
		for _, c := range clients {
			if c["client"] == name {
				c["history"] = history
				_ = json.NewEncoder(w).Encode(c)
				delete(c, "history")
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(in.Close)
	return in
}

// open opens the status page of the instance.
func (in *fakeInstance) open(t *testing.T) (c *chromium, page *rig.Process) {
	c = newChromium(t)
	page = rig.Start(t, rig.Home(t), "tokens", "status", "--web", "--no-browser", "--address", strings.TrimPrefix(in.URL, "http://"))
	c.visit(page.Printed(addressToOpen))
	return c, page
}
