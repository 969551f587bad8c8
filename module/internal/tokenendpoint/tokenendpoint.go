// Package tokenendpoint asks a token endpoint once and reads one answer, in any
// dialect of OAuth 2.0 (RFC 6749) that a token API may speak.
//
// It knows what a request is made of, what an answer means, and what to do about one. How a
// request is sent is the business of asking, how an answer is read that of reading, and how
// an assertion is signed that of signing. It keeps no state and no timer, takes its clock as
// an argument, never retries but with what an answer wants a proof to say, never follows a
// redirect, and never puts a secret into an error. When to ask, and what an answer does to a grant, is what package grant says.
package tokenendpoint

import (
	"crypto/tls"
	"net/http"
	"time"

	"lamplighter/module/internal/dpop"
)

// Dialect says how a token API wants to be asked and how it answers. The zero
// value is RFC 6749: POST, a form, client_secret_basic, expires_in in seconds.
// No field holds a secret.
type Dialect struct {
	// Method is the HTTP method: POST (default) or GET.
	Method string

	// ParamsIn is where parameters go: form (default), query or json.
	ParamsIn string

	// AuthMethod is the token_endpoint_auth_method of RFC 7591 and RFC 8705:
	// client_secret_basic (default), client_secret_post, client_secret_jwt,
	// private_key_jwt, tls_client_auth, self_signed_tls_client_auth or none.
	AuthMethod string

	// AssertionType is the client_assertion_type (RFC 7521 section 4.2). Default: that
	// of RFC 7523.
	AssertionType string

	// CertificateBound demands that access tokens are bound to the client's certificate (RFC
	// 8705 section 3).
	CertificateBound bool

	// SigningAlg is the algorithm of assertions (RFC 7518). Default: the key's
	// own, RS256 for RSA keys, HS256 for client_secret_jwt.
	SigningAlg string

	// BasicEncoding says how client_secret_basic writes id and secret before
	// base64: form (default, RFC 6749 section 2.3.1) or raw.
	BasicEncoding string

	// GrantType is the value of grant_type: jwt_bearer and token_exchange stand
	// for the URNs of RFC 7523 and RFC 8693, others are sent as they are; "-"
	// sends none.
	GrantType string

	// NamesClient puts client_id among the parameters, however the client
	// authenticates (RFC 8628 section 3.1).
	NamesClient bool

	// ParamNames renames parameters: canonical name to wire name, "-" omits it.
	ParamNames map[string]string

	// AccessTokenPath and its siblings are dotted paths into the JSON answer;
	// "a|b" takes the first that is there; "header:X", "cookie:X" and "@body"
	// look elsewhere. Defaults: access_token, refresh_token, id_token,
	// expires_in, error.
	AccessTokenPath, RefreshTokenPath, IDTokenPath, ExpiresPath, ErrorPath string

	// IssuedAtPath is where the answer says when the access token was issued, as
	// RFC 3339 or in seconds since 1970: its lifetime counts from there. Default:
	// none.
	IssuedAtPath string

	// RefreshTokenExpiresPath is where the answer says when the refresh token itself
	// ends: see readEnd. Default: the names that servers have for it.
	RefreshTokenExpiresPath string

	// ExpiresFormat is how ExpiresPath is to be read: seconds (default),
	// milliseconds, rfc3339, unix, unix_ms, duration, jwt or none.
	ExpiresFormat string

	// DefaultExpiresIn is the lifetime when the answer names none or nonsense. Where
	// it is given, it is no news that an answer names none. Default: an hour.
	DefaultExpiresIn time.Duration

	// TerminalErrors are matchers "[<status>] [<code> [<description>]]" of answers
	// that say: this grant is dead. A code with blanks stands in quotes, and the
	// status "*" is any below 500, which is the default. Default: invalid_grant.
	TerminalErrors []string

	// AnyTokenType says that access tokens of every token_type are used, because
	// the operator has said how to send them.
	AnyTokenType bool

	// IgnoreRefreshToken leaves a refresh token of the answer alone: for grants
	// without one, and for servers whose refresh tokens are of no use.
	IgnoreRefreshToken bool

	// ResponsePaths are further dotted paths whose scalar values the caller
	// wants from the answer, for injection templates.
	ResponsePaths []string
}

// Request is one token request, every value resolved. It is made of secrets:
// never print one.
type Request struct {
	// URL is the token endpoint. Its query is kept. Setting is what names it to
	// the operator, for remedies. Default: token_endpoint.
	URL, Setting string

	// AuthMethodsSupported are those of the server's metadata, nil if it is not
	// known. They are for the remedy alone.
	AuthMethodsSupported []string

	// ClientID and ClientSecret authenticate the client. ClientSecretNext is for
	// the caller, who may put it into the place of ClientSecret; it is never sent
	// or printed.
	ClientID, ClientSecret, ClientSecretNext string

	// RefreshToken, Username, Password, Assertion and SubjectToken are the
	// inputs of grants; empty ones are not sent.
	RefreshToken, Username, Password, Assertion, SubjectToken string

	// SubjectTokenType, ActorToken, ActorTokenType and RequestedTokenType belong
	// to the token exchange (RFC 8693 section 2.1); empty ones are not sent.
	SubjectTokenType, ActorToken, ActorTokenType, RequestedTokenType string

	// PrivateKey signs assertions: PEM or a JWK. KeyID names it in their header,
	// and the thumbprint of Certificate (PEM) stands there too if it is given.
	// With tls_client_auth both are for the TLS handshake.
	PrivateKey, KeyID, Certificate string

	// Pair is Certificate and PrivateKey as TLS wants them, so that requests share it. It
	// is made of them if it is nil.
	Pair *tls.Certificate

	// ReadyAssertion authenticates the client in the place of an assertion that is
	// signed here, nil if there is none.
	ReadyAssertion *ReadyAssertion

	// AssertionAudience is the audience of assertions. Default: URL without its
	// query. Requests to another endpoint than the token endpoint name that here,
	// because servers know themselves by it (RFC 7523 section 3).
	AssertionAudience string

	// Claims are laid over those of the assertion: of the grant's if there is
	// one, else of the client's.
	Claims map[string]string

	// Scope is joined by spaces into one parameter; Audience and Resource are
	// sent once per value.
	Scope, Audience, Resource []string

	// AuthorizationDetails is JSON that asks for more than a scope can say (RFC 9396), ""
	// for none.
	AuthorizationDetails string

	// Params and Header are further parameters and headers of the request. In
	// their values {assertion} stands for a JWT signed with PrivateKey.
	Params map[string][]string
	Header http.Header

	// Prover makes a proof of possession for each writing of the request (RFC 9449), nil if
	// there are none. Then the request is written anew, twice at most, with the nonce that an
	// answer demands, or by the clock that it tells.
	Prover *Prover

	// ProofKey is the key that the settings give for proofs, KnownKey the private key (PEM) of
	// the grant, and ProofAlgs the algorithms that the server's metadata names, as far as there
	// are any. They are for the caller, who makes a Prover of them, and tells Keyed before
	// BeforeSend is called; nil for nobody.
	ProofKey  *dpop.Key
	KnownKey  string
	ProofAlgs []string
	Keyed     func(*dpop.Key)

	clientAssertion string // authenticates the client
	signed          string // the JWT in place of {assertion}

	// BeforeSend is called when the connection is up and before the first byte
	// of the request is written. Its error cancels the request: nothing is sent.
	BeforeSend func() error
}
