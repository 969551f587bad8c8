package tokenendpoint

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// build makes the HTTP request. Its errors hold no value of r.
func (c *Client) build(ctx context.Context, r *Request) (*http.Request, error) {
	endpoint, err := url.Parse(r.URL)
	if err != nil || endpoint.Host == "" {
		return nil, errors.New("the token endpoint is not an absolute URL")
	}
	params := c.params(r)
	body, contentType := "", ""
	switch c.dialect.ParamsIn {
	case "query":
		if query := urlEncode(params); query != "" {
			endpoint.RawQuery = strings.TrimPrefix(endpoint.RawQuery+"&"+query, "&")
		}
	case "json":
		encoded, err := jsonEncode(params)
		if err != nil {
			return nil, err
		}
		body, contentType = string(encoded), "application/json"
	default:
		body, contentType = urlEncode(params), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, c.dialect.Method, endpoint.String(), strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be built from the settings")
	}
	req.GetBody = nil // nothing but the keeper presents a refresh token twice
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "lamplighter")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) { // the same of two spellings each time
		req.Header[http.CanonicalHeaderKey(name)] = r.Header[name]
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	return req, c.authenticate(req, r)
}

// authenticate adds HTTP Basic authentication if that is the client's method.
func (c *Client) authenticate(req *http.Request, r *Request) error {
	if c.dialect.AuthMethod != "client_secret_basic" {
		return nil
	}
	id, secret := r.ClientID, r.ClientSecret
	if c.dialect.BasicEncoding == "form" {
		id, secret = url.QueryEscape(id), url.QueryEscape(secret) // RFC 6749 section 2.3.1
	} else if strings.Contains(id, ":") {
		return errors.New("the client_id holds a colon, which basic_encoding raw cannot carry: use basic_encoding form or client_secret_post")
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	return nil
}
