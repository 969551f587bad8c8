package proxies

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// seenBy is all that a visitor of a proxy is answered.
func seenBy(t *testing.T, s *site, method, path string, header http.Header) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", res.Header, " ", string(body))
}

// wantNoToken fails if a visitor sees a token.
func wantNoToken(t *testing.T, s *site, how, seen string) {
	t.Helper()
	for _, token := range s.server.Tokens() {
		if strings.Contains(seen, token) {
			t.Errorf("%s: %s: the visitor sees the token", s.name, how)
		}
	}
}

// holdToken checks that neither the API's answers nor the methods of a visitor bring the token
// to that visitor, or force a refresh.
func holdToken(t *testing.T, s *site) {
	t.Helper()
	before := s.server.Rotations()
	for _, name := range []string{"X-Accel-Redirect", "X-Sendfile", "X-Lighttpd-Send-File", "X-Reproxy-Url", "Location", "Refresh"} {
		for _, to := range []string{"/_token", "/_token_rejected", "@again", "http://lamplighter/erp", "/erp"} {
			seen := seenBy(t, s, http.MethodGet, "/headers?"+url.Values{name: {to}}.Encode(), nil)
			wantNoToken(t, s, name+": "+to, seen)
			if !strings.Contains(seen, "GET /headers") {
				t.Errorf("%s: with %s: %s the visitor is not answered by the API: %s", s.name, name, to, seen)
			}
		}
	}
	for _, method := range []string{http.MethodTrace, "TRACK", "trace", "tRACE", "Track"} {
		seen := seenBy(t, s, method, "/orders", nil)
		wantNoToken(t, s, method, seen)
		if !strings.HasPrefix(seen, "405 ") && (method == strings.ToUpper(method) || !strings.HasPrefix(seen, "400 ")) { // nginx knows no small letters in methods
			t.Errorf("%s: %s: got %s", s.name, method, seen)
		}
	}
	if now := s.server.Rotations(); now != before {
		t.Errorf("%s: %d refreshes were forced", s.name, now-before)
	}
	if seen := seenBy(t, s, http.MethodGet, "/orders", http.Header{"Connection": {"close, Authorization", "lamplighter-token"}}); !strings.HasPrefix(seen, "200 ") {
		t.Errorf("%s: whoever names the token in Connection gets %s", s.name, seen)
	}
}

// TestNoAnswerOfAnAPIAndNoMethodBringsTheTokenToAVisitor: each proxy with the configuration of
// the page, before an API whose headers mean something to proxies, and which answers TRACE.
func TestNoAnswerOfAnAPIAndNoMethodBringsTheTokenToAVisitor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		block string
		start func(t *testing.T, s *site)
	}{
		"nginx":                     {"", func(t *testing.T, s *site) { startNginx(t, nginxSite{s, false}) }},
		"nginx with a cache":        {"cache", func(t *testing.T, s *site) { startNginx(t, nginxSite{s, true}) }},
		"HAProxy":                   {"", func(t *testing.T, s *site) { startHAProxy(t, s, false) }},
		"HAProxy that asks seldom":  {"", func(t *testing.T, s *site) { startHAProxy(t, s, true) }},
		"Caddy without Lamplighter": {"forwarded", startCaddy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{name: name, server: rig.StartRotating(t, true, time.Hour, 0), block: c.block}
			runLamplighter(t, s)
			c.start(t, s)
			holdToken(t, s)
		})
	}
}
