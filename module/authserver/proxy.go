package authserver

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"lamplighter/module/cause"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// chooseProxy returns the forward proxy of a request to the authorization server,
// nil for none. Its placeholders are resolved anew each time.
func chooseProxy(c *settings.Client, req *http.Request) (*url.URL, error) {
	switch c.Proxy {
	case "none":
		return nil, nil
	case "", "from_environment":
		return http.ProxyFromEnvironment(req)
	}
	var r placeholder.Resolver
	text := r.Value("proxy", c.Proxy)
	if r.Err != nil {
		return nil, &asking.ProxyError{Cause: cause.Of(finding.CauseUnresolved).With(), Err: r.Err}
	}
	if len(r.Missing) > 0 {
		return nil, nil
	}
	proxy, err := target.ParseProxy(text)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return proxy, nil
}

// permittedProxy is chooseProxy with the rule for what passes one in clear.
func permittedProxy(c *settings.Client, req *http.Request) (*url.URL, error) {
	proxy, err := chooseProxy(c, req)
	if proxy == nil || err != nil {
		return nil, err
	}
	redact.RememberPassword(proxy)
	rules, err := c.AllowRules(true)
	if err != nil {
		return nil, err
	}
	if err := target.Passes(req.URL.Scheme, proxy, rules); err != nil {
		named := redact.Word(target.OfProxy(proxy).String())
		return nil, &asking.ProxyError{Cause: cause.Of("token_destination_denied", "secrets").With("proxy", named), Err: err}
	}
	return proxy, nil
}

// checkProxy returns an error if the secrets for an endpoint would pass a forward
// proxy in clear.
func (c *Client) checkProxy(setting, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return nil // others say what is wrong with it
	}
	_, err = permittedProxy(c.cfg, &http.Request{Method: http.MethodGet, URL: u})
	if denied, ok := errors.AsType[*target.ProxyDenied](err); ok {
		return fmt.Errorf("%[1]s on %[2]s is plain http, and the forward proxy %[3]s on the way would read the secrets: use https, add 'proxy none', or add 'allow %[3]s' if that proxy may read them",
			setting, u.Host, redact.Word(denied.Proxy.String()))
	}
	return err
}

// checkProxies does so for every endpoint that is known before one is asked.
func (c *Client) checkProxies(tokenEndpoint string) error {
	for _, e := range []struct{ setting, endpoint string }{
		{"token_endpoint", tokenEndpoint},
		{"issuer", c.cfg.Issuer},
		{"device_authorization_endpoint", c.cfg.DeviceAuthorizationEndpoint},
		{"revocation_endpoint", c.cfg.RevocationEndpoint},
		{"pushed_authorization_request_endpoint", c.cfg.PushedAuthorizationRequestEndpoint},
	} {
		if strings.Contains(e.endpoint, "{") {
			continue // checked when it is asked
		}
		if err := c.checkProxy(e.setting, e.endpoint); err != nil {
			return err
		}
	}
	return nil
}
