package target

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"lamplighter/module/internal/redact"
)

// A forward proxy reads what passes it in clear, wherever that goes: it is one more
// party that gets the token or the client secret. So nothing secret passes one in
// clear unless `allow` names that very proxy, and which proxy it is never depends
// on the request. Of https it sees nothing but the name of the other end.

// ProxyDenied is the error of a request that would pass a forward proxy in clear.
type ProxyDenied struct{ Proxy Origin }

// Error says what would happen.
func (e *ProxyDenied) Error() string {
	return "the forward proxy " + redact.Word(e.Proxy.String()) + " would read it, because it is plain http"
}

// Passes returns an error if a request of a scheme must not pass a forward proxy.
// The consent to a network is none to a proxy that happens to be in it.
func Passes(scheme string, proxy *url.URL, rules []Rule) error {
	if scheme != "http" {
		return nil
	}
	o := OfProxy(proxy)
	if slices.ContainsFunc(rules, func(r Rule) bool { return r.namesHost() && r.Matches(o) }) {
		return nil
	}
	return &ProxyDenied{o}
}

// OfProxy is a forward proxy as `allow` names it: without user and password.
func OfProxy(proxy *url.URL) Origin {
	scheme := strings.ToLower(proxy.Scheme)
	if scheme == "socks5h" {
		scheme = "socks5" // it only differs in who looks up names
	}
	return TCP(scheme, proxy.Hostname(), proxy.Port(), "")
}

// ParseProxy reads the URL of a forward proxy. Errors do not repeat it: it may hold
// a password.
func ParseProxy(text string) (*url.URL, error) {
	proxy, err := url.Parse(text)
	if err != nil || proxy.Hostname() == "" || strings.TrimPrefix(proxy.Path, "/") != "" || proxy.RawQuery != "" || proxy.Fragment != "" {
		return nil, ErrNoProxy
	}
	switch proxy.Scheme {
	case "http", "https", "socks5", "socks5h":
		return proxy, nil
	}
	return nil, ErrNoProxy
}

// ErrNoProxy is the error of what is no forward proxy.
var ErrNoProxy = errors.New("it is not the URL of a proxy such as http://proxy.internal:3128, https://… or socks5://…")
