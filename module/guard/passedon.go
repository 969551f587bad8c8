package guard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// passing are the headers in which proxies and networks say that a request is somebody
// else's, beside X-Forwarded-*.
var passing = []string{
	"Cdn-Loop", "Cf-Connecting-Ip", "Fastly-Client-Ip", "Forwarded", "Forwarded-For", "True-Client-Ip", "Via", "X-Appengine-User-Ip",
	"X-Azure-Clientip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Real-Ip",
}

// passedOn reports whether a request says that a proxy has passed it on.
func passedOn(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded") || slices.Contains(passing, name) {
			return true
		}
	}
	return false
}

// Vary returns the headers of a request by which it is judged, in the form of the header
// Vary: what is kept for one request is not for another one that has others (RFC 9111
// section 4.1). X-Forwarded-* cannot be named all; those that proxies send are.
func (h *Handout) Vary() string {
	names := []string{Marker, "Origin", "Sec-Fetch-Site"}
	if h.CallerSecret != "" {
		names = append(names, "Authorization", "Proxy-Authorization")
	}
	if !h.Forwarded {
		names = append(names, passing...)
		for _, name := range []string{"", "-For", "-Host", "-Port", "-Prefix", "-Proto", "-Server"} {
			names = append(names, "X-Forwarded"+name)
		}
	}
	return strings.Join(names, ", ")
}

// unclean reports whether the path of a request, or that which it had before it was
// rewritten, names a way up: matchers take it, and proxies that put a prefix before it do not.
func unclean(r *http.Request) bool {
	if hasDots(r.URL.Path) {
		return true
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return ok && original.URL != nil && hasDots(original.URL.Path)
}

func hasDots(path string) bool {
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}
