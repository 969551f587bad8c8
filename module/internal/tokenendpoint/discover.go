package tokenendpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lamplighter/module/internal/redact"
)

// Metadata is what an authorization server says of itself (RFC 8414 section 2).
type Metadata struct {
	Issuer                      string `json:"issuer"`
	TokenEndpoint               string `json:"token_endpoint"`
	AuthorizationEndpoint       string `json:"authorization_endpoint"`
	DeviceAuthorizationEndpoint string `json:"device_authorization_endpoint"`
	RevocationEndpoint          string `json:"revocation_endpoint"`

	// MTLSEndpointAliases are the endpoints for clients with a certificate (RFC
	// 8705 section 5), nil if they are the same.
	MTLSEndpointAliases *Metadata `json:"mtls_endpoint_aliases"`
}

// ForMutualTLS returns the metadata for a client that presents a certificate.
func (m Metadata) ForMutualTLS() Metadata {
	aliases := m.MTLSEndpointAliases
	if aliases == nil {
		return m
	}
	m.MTLSEndpointAliases = nil
	for _, e := range []struct{ usual, alias *string }{
		{&m.TokenEndpoint, &aliases.TokenEndpoint},
		{&m.DeviceAuthorizationEndpoint, &aliases.DeviceAuthorizationEndpoint},
		{&m.RevocationEndpoint, &aliases.RevocationEndpoint},
	} {
		if *e.alias != "" {
			*e.usual = *e.alias
		}
	}
	return m
}

// Discover reads the metadata of an issuer: of OAuth 2.0 (RFC 8414), else of
// OpenID Connect Discovery. It follows no redirect, and believes only a document
// that names the very same issuer.
func Discover(ctx context.Context, issuer string, how Connection) (Metadata, error) {
	places, err := wellKnown(issuer)
	if err != nil {
		return Metadata{}, err
	}
	var problems []string
	for _, place := range places {
		m, err := fetchMetadata(ctx, place, how)
		if err == nil {
			err = m.check(issuer)
		}
		if err == nil {
			return m, nil
		}
		problems = append(problems, strings.TrimPrefix(place, origin(place))+" "+err.Error())
		if ctx.Err() != nil {
			break // nobody waits for another
		}
	}
	return Metadata{}, fmt.Errorf("the metadata of issuer %s cannot be used: %s", issuer, strings.Join(problems, "; "))
}

// check returns an error if the document is not the issuer's own (RFC 8414 section
// 3.3), or of no use. What it names is quoted as a server's words are.
func (m *Metadata) check(issuer string) error {
	switch {
	case m.Issuer != issuer:
		return fmt.Errorf("names the issuer %s", redact.Quote(m.Issuer))
	case m.TokenEndpoint == "":
		return errors.New("names no token_endpoint")
	}
	return nil
}

// origin is the part of a URL before its path.
func origin(place string) string {
	u, err := url.Parse(place)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// wellKnown lists where an issuer's metadata may be: RFC 8414 puts its path
// behind the well-known name, OpenID Connect before it.
func wellKnown(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("issuer is not an absolute URL without user, query and fragment")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	return []string{
		base + "/.well-known/oauth-authorization-server" + path,
		base + path + "/.well-known/openid-configuration",
	}, nil
}

func fetchMetadata(ctx context.Context, place string, how Connection) (m Metadata, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return m, errors.New("is no URL that can be asked")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "lamplighter")
	x := &exchange{now: time.Now}
	resp, err := x.roundTrip(req, how)
	if err != nil {
		return m, errors.New("cannot be reached: " + unreachable(err))
	}
	defer resp.Body.Close()
	body, err := readCapped(resp.Body)
	switch {
	case resp.StatusCode != http.StatusOK:
		return m, fmt.Errorf("answered %d", resp.StatusCode)
	case err != nil:
		return m, errors.New("cannot be read: " + reason(err))
	case json.Unmarshal(body, &m) != nil:
		return m, errors.New("is no JSON object of metadata")
	}
	return m, nil
}
