package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lamplighter/module/internal/target"
)

// compileOrigins reads the origins whose pages may call.
func (g *Guard) compileOrigins() error {
	for _, text := range g.AllowOrigin {
		if text == "*" || text == "null" {
			g.origins = append(g.origins, text)
			continue
		}
		scheme, host, found := strings.Cut(strings.ToLower(strings.TrimSuffix(text, "/")), "://")
		if !found || scheme == "" || host == "" || strings.ContainsAny(host, "/?#@") {
			return fmt.Errorf("allow_origin: %q is not an origin such as https://app.example.com", text)
		}
		g.origins = append(g.origins, scheme+"://"+host)
	}
	return nil
}

// foreign reports whether a browser sends the request for a page of another
// origin, and which.
func (g *Guard) foreign(r *http.Request) (string, bool) {
	if slices.Contains(g.origins, "*") {
		return "", false
	}
	allowed := false
	for _, origin := range r.Header.Values("Origin") {
		switch {
		case slices.Contains(g.origins, strings.ToLower(origin)):
			allowed = true
		case !ownOrigin(origin, r):
			return origin, true
		}
	}
	if allowed {
		return "", false
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		// Fetch Metadata (W3C): same-origin is this host, none is its user.
		if site != "same-origin" && site != "none" {
			return "<origin>", true
		}
	}
	return "", false
}

// ownOrigin reports whether an origin is where the request itself went.
func ownOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(strings.ToLower(origin))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != strings.ToLower(origin) {
		return false // RFC 6454, section 6.2: scheme, host and port, and nothing else
	}
	there := "http"
	if r.TLS != nil {
		there = "https"
	}
	return withPort(u.Host, u.Scheme) == withPort(strings.ToLower(r.Host), there)
}

// withPort is a host with its port, even if it is the scheme's own.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return host + ":" + target.DefaultPort(scheme)
}
