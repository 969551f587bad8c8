package serve

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/guard"
)

// Cache lets caches keep an answer, which saves most requests.
type Cache struct {
	// How long at most. No answer is kept beyond the next refresh, as far as that is
	// planned, but for one second. Default: `10s`.
	Max caddy.Duration `json:"max,omitempty"`

	// Says that whoever keeps answers sends `Lamplighter-Rejected` after a 401 of the API,
	// and keeps the answer to that in the place of the former. Needed with `rotation_overlap
	// none`: a kept token is dead from the refresh on. Default: `false`.
	Feedback bool `json:"feedback,omitempty"`
}

const defaultCacheMax = 10 * time.Second

// check refuses what nobody could use, and what would hand out a wrong token.
func (t *Token) check() error {
	set, in := t.client.Settings(), t.client.Injections()
	if err := set.WithoutProofs(); err != nil {
		return err
	}
	for _, p := range in.OnlyInRequests() {
		if p.UsesResponse() {
			return fmt.Errorf("inject %s %s takes {response.…} to where no header of an answer can, and JSON has no place for it: nobody could use what is handed out; proxy these requests with upstream_oauth", p.In, p.Name)
		}
	}
	t.headers, t.idToken = len(in.OnlyInRequests()) == 0, in.UsesIDToken()
	for _, p := range in.Places() {
		t.logged = t.logged || p.In == "header" && !slices.Contains(hiddenInLogs, p.Name)
	}
	if t.Cache == nil {
		return nil
	}
	if t.Cache.Max == 0 {
		t.Cache.Max = caddy.Duration(defaultCacheMax)
	}
	drains, err := set.Drains()
	switch {
	case err != nil:
		return err
	case time.Duration(t.Cache.Max) < time.Second:
		return fmt.Errorf("cache %s: caches count whole seconds, so it must be 1s at least", time.Duration(t.Cache.Max))
	case set.PerCaller():
		return errors.New("cache: each caller has a token of its own, and a cache would hand it to others: take the line out")
	case drains && !t.Cache.Feedback:
		return errors.New("cache: with 'rotation_overlap none' a kept token is dead from the refresh on: let the proxy send Lamplighter-Rejected after a 401 and keep the answer to that, and say so with 'cache feedback', or take the line out")
	}
	return nil
}

// hiddenInLogs are the headers whose values Caddy's access log hides.
var hiddenInLogs = []string{"Authorization", "Cookie"}

// keepOutOfLog keeps a request out of Caddy's access log that would show the token, or the
// secret of callers, as it shows all headers of requests and answers but some.
func (t *Token) keepOutOfLog(r *http.Request) {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	logsCredentials := server != nil && server.Logs != nil && server.Logs.ShouldLogCredentials
	secret := slices.ContainsFunc(r.Header[guard.Marker], func(value string) bool { return value != "yes" })
	if t.logged || logsCredentials || secret {
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	}
}
