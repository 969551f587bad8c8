// Package discovery answers what an authorization server says of itself (RFC 8414).
//
// It knows an issuer and how to reach it. It must not know settings, nor what is done with
// what it finds.
package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// Metadata is what an authorization server says of itself (RFC 8414 section 2).
type Metadata struct {
	Issuer                      string `json:"issuer"`
	TokenEndpoint               string `json:"token_endpoint"`
	AuthorizationEndpoint       string `json:"authorization_endpoint"`
	DeviceAuthorizationEndpoint string `json:"device_authorization_endpoint"`
	RevocationEndpoint          string `json:"revocation_endpoint"`

	// PushedAuthorizationRequestEndpoint takes authorization requests (RFC 9126), and
	// RequirePushedAuthorizationRequests says that the server takes them nowhere else.
	PushedAuthorizationRequestEndpoint string `json:"pushed_authorization_request_endpoint"`
	RequirePushedAuthorizationRequests flag   `json:"require_pushed_authorization_requests"`

	// AuthorizationResponseIssParameterSupported says that the answers to them name the
	// issuer (RFC 9207).
	AuthorizationResponseIssParameterSupported flag `json:"authorization_response_iss_parameter_supported"`

	// TLSClientCertificateBoundAccessTokens says that tokens are bound to the certificates
	// that they are asked for with (RFC 8705 section 3.3).
	TLSClientCertificateBoundAccessTokens flag `json:"tls_client_certificate_bound_access_tokens"`

	// TokenEndpointAuthMethodsSupported are how clients may authenticate. The
	// default of the RFC, client_secret_basic, is not filled in.
	TokenEndpointAuthMethodsSupported names `json:"token_endpoint_auth_methods_supported"`

	// DPoPSigningAlgValuesSupported are the algorithms of proofs (RFC 9449 section 5.1).
	DPoPSigningAlgValuesSupported names `json:"dpop_signing_alg_values_supported"`

	// MTLSEndpointAliases are the endpoints for clients with a certificate (RFC
	// 8705 section 5), nil if they are the same.
	MTLSEndpointAliases *Metadata `json:"mtls_endpoint_aliases"`
}

// flag is false unless it is said to be true.
type flag bool

// UnmarshalJSON leaves alone what is neither.
func (f *flag) UnmarshalJSON(b []byte) error {
	*f = string(b) == "true"
	return nil
}

// names is a list that is of use only if it is one.
type names []string

// UnmarshalJSON leaves what is no list of names alone.
func (n *names) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*[]string)(n)) != nil {
		*n = nil
	}
	return nil
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
		{&m.PushedAuthorizationRequestEndpoint, &aliases.PushedAuthorizationRequestEndpoint},
	} {
		if *e.alias != "" {
			*e.usual = *e.alias
		}
	}
	return m
}

// Undiscovered is the error of metadata that cannot be had, or not be believed.
type Undiscovered struct {
	// Cause, Detail, Remedy and Passes are those of a tokenendpoint.Answer.
	Cause, Detail, Remedy string
	Passes                bool
}

// Error returns detail and remedy.
func (e *Undiscovered) Error() string { return e.Detail + "; " + e.Remedy }

// Misnamed is the error of metadata that names what the rules for settings forbid.
func Misnamed(issuer string, err error) *Undiscovered {
	return undiscovered(issuer, cause.Of("metadata_invalid").With("issuer", issuer), redact.Text(err.Error()))
}

func undiscovered(issuer string, why cause.Cause, detail string) *Undiscovered {
	return &Undiscovered{
		Cause: why.Name, Detail: "the metadata of issuer " + issuer + " cannot be used: " + detail, Remedy: why.Remedy, Passes: why.Passes,
	}
}

// unfit is why one document of metadata is of no use, within the sentence.
type unfit struct {
	why    cause.Cause
	detail string
}

func (u *unfit) Error() string { return u.detail }

func unfitFor(name, detail string, facts ...string) *unfit {
	return &unfit{cause.Of(name).With(facts...), detail}
}

// Discover reads the metadata of an issuer: of OAuth 2.0 (RFC 8414), else of
// OpenID Connect Discovery. It follows redirects within its origin alone, and
// believes only a document that names the very same issuer. Its error is
// *Undiscovered.
func Discover(ctx context.Context, issuer string, how asking.Connection) (Metadata, error) {
	places, err := wellKnown(issuer)
	if err != nil {
		return Metadata{}, Misnamed(issuer, err)
	}
	var problems []string
	var worst *unfit
	for _, place := range places {
		m, problem := fetchMetadata(ctx, issuer, place, how)
		if problem == nil {
			problem = m.check(issuer)
		}
		if problem == nil {
			return m, nil
		}
		problems = append(problems, strings.TrimPrefix(place, originOf(place))+" "+problem.detail)
		if worst == nil || problem.tells() > worst.tells() {
			worst = problem
		}
		if ctx.Err() != nil {
			break // nobody waits for another
		}
	}
	return Metadata{}, undiscovered(issuer, worst.why, strings.Join(problems, "; "))
}

// tells says how much a problem of one place says of the issuer: most issuers have
// nothing at one of the two, and some answer anything there.
func (u *unfit) tells() int {
	switch u.why.Name {
	case "metadata_not_found":
		return 0
	case "metadata_invalid":
		return 1
	case "issuer_mismatch":
		return 3
	}
	return 2
}

// check says why the document is not the issuer's own (RFC 8414 section 3.3), or of
// no use. What it names is quoted as a server's words are.
func (m *Metadata) check(issuer string) *unfit {
	switch {
	case m.Issuer == "":
		return unfitFor("metadata_invalid", "names no issuer", "issuer", issuer)
	case m.Issuer != issuer:
		named := redact.Quote(m.Issuer)
		return unfitFor("issuer_mismatch", "names the issuer "+named, "issuer", redact.Quote(issuer), "named", named)
	case m.TokenEndpoint == "":
		return unfitFor("metadata_invalid", "names no token_endpoint", "issuer", issuer)
	}
	return nil
}

// originOf is the part of a URL before its path.
func originOf(place string) string {
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

// maxRedirects bounds how often metadata may be somewhere else.
const maxRedirects = 3

// fetchMetadata reads one document. A redirect within the origin is followed: the
// request holds no secret, and who answers is the same.
func fetchMetadata(ctx context.Context, issuer, place string, how asking.Connection) (m Metadata, problem *unfit) {
	for range maxRedirects + 1 {
		var r *reading.Reply
		if r, problem = getMetadata(ctx, place, how); problem != nil {
			return m, problem
		}
		if r.Status < 300 || r.Status >= 400 {
			return readMetadata(issuer, r)
		}
		next, ok := sameOrigin(place, r.Header.Get("Location"))
		if !ok {
			return m, unfitFor("metadata_redirect", fmt.Sprintf("answered %d with a redirect%s", r.Status, r.RedirectTarget(nil)), "issuer", issuer)
		}
		place = next
	}
	return m, unfitFor("metadata_redirect", "is redirected again and again", "issuer", issuer)
}

// sameOrigin resolves a redirect, if it leads to the same origin over TLS, or on
// this machine.
func sameOrigin(place, location string) (string, bool) {
	from, err := url.Parse(place)
	if err != nil || location == "" {
		return "", false
	}
	to, err := from.Parse(location)
	if err != nil || to.User != nil || to.Scheme != from.Scheme || !strings.EqualFold(to.Hostname(), from.Hostname()) || port(to) != port(from) {
		return "", false
	}
	to.Host, to.Fragment = from.Host, ""
	return to.String(), to.Scheme == "https" || target.IsLoopback(to.Hostname())
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

func getMetadata(ctx context.Context, place string, how asking.Connection) (*reading.Reply, *unfit) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, unfitFor("metadata_invalid", "is no URL that can be asked")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "lamplighter")
	x := asking.New("issuer", nil, time.Now)
	resp, err := x.RoundTrip(req, how)
	if err == nil {
		defer resp.Body.Close()
		r := reading.Read(resp)
		if why, ok := x.Misdirected(r.Status, r.Body); ok {
			return nil, &unfit{why, fmt.Sprintf("answered %d: %s", r.Status, why.Sentence)}
		}
		return r, nil
	}
	if x.Seal() {
		return nil, &unfit{x.Unanswered(err), "gave no answer: " + redact.Text(asking.Reason(err)) + x.Afterwards()}
	}
	why, detail := x.Ended(err, nil)
	return nil, &unfit{why, "cannot be read: " + detail}
}

// readMetadata reads an answer that is no redirect.
func readMetadata(issuer string, r *reading.Reply) (m Metadata, problem *unfit) {
	answered := fmt.Sprintf("answered %d", r.Status)
	switch status := r.Status; {
	case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusMethodNotAllowed:
		return m, unfitFor("metadata_not_found", answered, "issuer", issuer)
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return m, unfitFor("metadata_unavailable", answered, "issuer", issuer)
	case status >= 400:
		return m, unfitFor("metadata_refused", answered, "issuer", issuer)
	case status != http.StatusOK:
		return m, unfitFor("metadata_invalid", answered, "issuer", issuer)
	case r.Err != nil:
		return m, unfitFor("metadata_invalid", "cannot be read: "+redact.Text(asking.Reason(r.Err)), "issuer", issuer)
	case json.Unmarshal(r.Body, &m) != nil:
		return Metadata{}, unfitFor("metadata_invalid", "is no JSON object of metadata", "issuer", issuer)
	}
	return m, nil
}
