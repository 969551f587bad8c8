package clients

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestUpstreamsThatSayOtherwiseThatATokenIsDead call APIs that answer a dead token
// with something else than 401, at requests whose token is replaced under way.
// Fault D7.
func TestUpstreamsThatSayOtherwiseThatATokenIsDead(t *testing.T) {
	t.Parallel()
	var sites []*site
	for _, manner := range []struct {
		name, settings string
		reject         http.HandlerFunc
	}{
		{"401", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }},
		{"403 with a challenge", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", `Bearer realm="api", error="invalid_token", error_description="expired"`)
			w.WriteHeader(http.StatusForbidden)
		}},
		{"200 with an error code", "\t\t\trejected {\n\t\t\t\tstatus 200\n\t\t\t\tjson errcode 40001\n\t\t\t}", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			fmt.Fprint(w, `{"errcode":40001,"errmsg":"invalid credential"}`)
		}},
		{"redirect to the login", "\t\t\trejected {\n\t\t\t\tstatus 302\n\t\t\t\theader Location */login*\n\t\t\t}", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login?next="+r.URL.Path, http.StatusFound)
		}},
	} {
		is := newIssuer(t, false)
		late := &late{issuer: is, api: newAPI(), reject: manner.reject}
		upstream := serve(t, httptest.NewUnstartedServer(late)).URL
		sites = append(sites, &site{name: manner.name, upstream: upstream, issuer: is, overlap: "until_expiry", settings: manner.settings})
	}
	runSites(t, sites...)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			client := &http.Client{Transport: new(http.Transport)}
			upload := strings.Repeat("a line of an upload\n", 1000)
			for i := range 2 {
				want(t, client, s, fmt.Sprintf("GET /hello?%d", i), "", nil, 200, "hello")
				want(t, client, s, fmt.Sprintf("POST /digest?%d", i), upload, nil, 200, digestOf(upload))
			}
			t.Log(rejections(s))
			if s.issuer.rejected < 4 {
				t.Errorf("only %d of 4 tokens were replaced under way", s.issuer.rejected)
			}
		})
	}
}

// late is an API that looks at the token of a request for the first time when
// another token has taken its place.
type late struct {
	*issuer
	api    http.Handler
	reject http.HandlerFunc
	seen   sync.Map
}

func (l *late) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, seen := l.seen.LoadOrStore(r.RequestURI, true); !seen {
		l.outlived(r.Context(), r.Header.Get("Authorization"))
	}
	if !l.accepts(r.Header.Values("Authorization")...) {
		l.reject(w, r)
		return
	}
	l.api.ServeHTTP(w, r)
}
