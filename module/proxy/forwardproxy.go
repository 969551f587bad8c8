package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/destination"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
)

// resolveProxy reads which forward proxy the transport is told to use, once: a
// placeholder of the request would let the caller choose who reads the token.
func (t *Transport) resolveProxy() error {
	if t.ForwardProxyURL != "" {
		return t.resolveProxyURL("forward_proxy_url", &t.ForwardProxyURL)
	}
	var module struct{ From, URL string }
	var settings any
	if len(t.NetworkProxyRaw) == 0 || json.Unmarshal(t.NetworkProxyRaw, &module) != nil || json.Unmarshal(t.NetworkProxyRaw, &settings) != nil {
		return nil // Caddy says what is wrong with it
	}
	if module.From != "url" {
		return withoutRequest(settings)
	}
	if err := t.resolveProxyURL("network_proxy", &module.URL); err != nil {
		return err
	}
	t.NetworkProxyRaw = caddyconfig.JSON(map[string]string{"from": "url", "url": module.URL}, nil)
	return nil
}

func (t *Transport) resolveProxyURL(setting string, value *string) error {
	if placeholder.HasLiteralPassword(*value) {
		t.logger.Warn(placeholder.LiteralWarning("the password of "+setting), t.where().Fields()...)
	}
	r := placeholder.Resolver{Where: t.where()}
	*value = r.Value(setting, *value)
	if r.Err != nil || len(r.Missing) > 0 {
		return r.Err
	}
	proxy, err := target.ParseProxy(*value)
	if err != nil || strings.Contains(*value, "{") {
		return fmt.Errorf("%s: %w", setting, target.ErrNoProxy)
	}
	redact.RememberPassword(proxy)
	return nil
}

// withoutRequest looks for placeholders of requests anywhere in the settings of a
// proxy module.
func withoutRequest(settings any) error {
	switch value := settings.(type) {
	case string:
		var r placeholder.Resolver
		r.Value("network_proxy", value)
		return r.Err
	case []any:
		for _, member := range value {
			if err := withoutRequest(member); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, member := range value {
			if err := withoutRequest(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// guardProxy asks for each request whether it may pass the forward proxy that was
// chosen for it, in the place of the choice itself: asked again, a proxy module
// might choose another.
func (t *Transport) guardProxy() {
	choose := t.HTTPTransport.Transport.Proxy
	t.HTTPTransport.Transport.Proxy = func(req *http.Request) (*url.URL, error) {
		info, dialled := reverseproxy.GetDialInfo(req.Context())
		if dialled && (destination.IsSocket(info.Network) || isHealthCheck(req)) {
			return nil, nil // Caddy dials the upstream itself then
		}
		if dialled && t.ProxyProtocol != "" {
			req = towards(req, info.Address)
		}
		proxy, err := choose(req)
		if proxy == nil || err != nil {
			return nil, err
		}
		if err := target.Passes(req.URL.Scheme, proxy, t.destinations.Rules()); err != nil {
			return nil, err
		}
		return proxy, nil
	}
}

// towards returns a request with the address that it is sent to. With the PROXY
// protocol Caddy puts another one there, which NO_PROXY would not know.
func towards(req *http.Request, address string) *http.Request {
	u := *req.URL
	u.Host = address
	out := *req
	out.URL = &u
	return &out
}

// checkProxies asks the same for static upstreams, before there is a request. What
// a proxy module of somebody else does is only known with one.
func (t *Transport) checkProxies(module json.RawMessage) error {
	var proxy struct{ From string }
	if json.Unmarshal(module, &proxy) == nil && proxy.From != "url" {
		return nil
	}
	for address, upstream := range t.destinations.InTheClear() {
		req := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: address, Path: "/"}}
		var denied *target.ProxyDenied
		if _, err := t.HTTPTransport.Transport.Proxy(req); errors.As(err, &denied) {
			return fmt.Errorf("upstream %s is plain http, and the forward proxy %[2]s on the way would read the token: use https, add 'allow %[2]s' to the client's settings if that proxy may read it, or 'network_proxy none' to the block 'transport http'",
				upstream, denied.Proxy)
		}
	}
	return nil
}
