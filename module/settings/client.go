// Package settings answers what an operator writes of a client: its settings, their
// defaults, the presets of providers, and what cannot work together.
//
// It runs nothing: it resolves no placeholder but on demand, and touches neither
// network nor files. It must not know apps, keepers or requests.
package settings

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/inject"
	"lamplighter/module/rejection"
	"lamplighter/module/tokenfile"
)

// Client is one OAuth 2.0 client: a registration at one authorization server and
// the grant it uses (RFC 6749). Lamplighter obtains its access token at the
// token endpoint, refreshes it before it expires, keeps a rotating refresh
// token durably, and injects the access token into requests.
//
// Values of client_id, client_secret, refresh_token, username, password,
// private_key, key_id, certificate, claim, client_assertion, assertion, subject_token,
// actor_token, param, header, proxy and the key of dpop may hold the placeholders `{env.NAME}`,
// `{file./path}` and `{file.{env.NAME}}`, a file that a variable names, or one in a
// directory that it names (`{file.{env.CREDENTIALS_DIRECTORY}/secret}`). They are
// resolved anew at every token request, so rotated secrets need no reload; one
// trailing newline of a file is dropped. A literal secret works but shows in
// the admin API and in saved configurations. Placeholders of requests are
// refused.
type Client struct {
	// The name of a preset for a known token API, whose settings hold unless
	// they are given here too; `param`, `header` and `param_names` add to those
	// of the preset. Presets: `amazon_sp`, `apigee`, `auth0`, `authelia`,
	// `authentik`, `baidu_ai`, `dex`, `dingtalk`, `django_oauth_toolkit`,
	// `docker_registry`, `entra`, `entra_federated`, `feishu`, `github_app`, `gitlab`,
	// `google_sa`, `huawei_iam`, `hydra`, `keycloak`, `kubernetes`, `okta`, `salesforce`,
	// `shopify_cc`, `smart_backend`, `spiffe`, `tencent_ciam`, `tencent_eiam`,
	// `wechat_mp_stable`, `wecom`, `zitadel`, `zoho`, `zoom_s2s`.
	Provider string `json:"provider,omitempty"`

	// The base URL of the provider, for presets that need one: for
	// `tencent_eiam` the application's own domain, as in
	// `https://acme.example.com`.
	ProviderBase string `json:"provider_base,omitempty"`

	// The URL of the token endpoint (RFC 6749 section 3.2). Required unless the
	// provider names it. It must be https, unless its host is loopback or
	// `allow_http` is set.
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// The issuer identifier of the authorization server, instead of its endpoints:
	// they are read from its metadata (RFC 8414, or OpenID Connect Discovery) when
	// the first token is needed, and once a day. It must be https like the token
	// endpoint, and written exactly as the metadata has it, without placeholders:
	// the record is bound to it. Default: none.
	Issuer string `json:"issuer,omitempty"`

	// The URL of the authorization endpoint (RFC 6749 section 3.1), where `tokens
	// login` sends the browser. Default: none, so that `tokens login` needs
	// `--device`.
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`

	// The URL of the device authorization endpoint (RFC 8628), for `tokens login
	// --device`. Default: none.
	DeviceAuthorizationEndpoint string `json:"device_authorization_endpoint,omitempty"`

	// The URL of the revocation endpoint (RFC 7009), for `tokens revoke`. Default:
	// none.
	RevocationEndpoint string `json:"revocation_endpoint,omitempty"`

	// Where `tokens login` hands its authorization request to the server itself, so that
	// only a reference passes through the browser (RFC 9126). Default: what the metadata of
	// `issuer` names, if it does. A server that does not let this client do so is asked in
	// the usual way, with a warning, unless its metadata says that it takes no other.
	PushedAuthorizationRequestEndpoint string `json:"pushed_authorization_request_endpoint,omitempty"`

	// The HTTP method of token requests: `POST` or `GET`. Default: `POST`.
	Method string `json:"method,omitempty"`

	// Where the parameters of a token request go: `form`, `query` or `json`.
	// RFC 6749 section 2.3.1 forbids credentials in URLs, so `query` is only for
	// APIs that demand it; such a URL appears in no log, error or metric.
	// Default: `form`.
	ParamsIn string `json:"params_in,omitempty"`

	// The grant type: `refresh_token`, `client_credentials`, `password`,
	// `jwt_bearer` (RFC 7523), `token_exchange` (RFC 8693), any
	// literal value that the API wants, or `-` to send none. Default:
	// `refresh_token` if that setting is there, else `client_credentials`.
	GrantType string `json:"grant_type,omitempty"`

	// The client identifier (RFC 6749 section 2.2). Required unless
	// `token_endpoint_auth_method` is `none`, or `client_assertion` says who the client
	// is.
	ClientID string `json:"client_id,omitempty"`

	// The client secret. Required by `client_secret_basic`, `client_secret_post`
	// and `client_secret_jwt`.
	ClientSecret string `json:"client_secret,omitempty"`

	// A second client secret, for the time in which the first is replaced: it is
	// used once the server refuses the first (`invalid_client`), and the other way
	// round. In a Caddyfile, `client_secret` is given twice. Default: none.
	ClientSecretNext string `json:"client_secret_next,omitempty"`

	// How the client authenticates at the token endpoint, in the words of RFC
	// 7591: `client_secret_basic` (a header), `client_secret_post` (parameters,
	// wherever `params_in` puts them), `client_secret_jwt` and `private_key_jwt`
	// (a signed assertion, RFC 7523), `tls_client_auth` and `self_signed_tls_client_auth`
	// (a certificate of an authority, or one that is registered itself, RFC 8705), or `none` (a public client). It is never probed: a wrong guess would spend a
	// refresh token. Default: `client_secret_basic`; `private_key_jwt` with
	// `client_assertion`; `none` for the grant `jwt_bearer` without a secret.
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method,omitempty"`

	// How `client_secret_basic` writes identifier and secret before base64:
	// `form` (form-urlencoded, RFC 6749 section 2.3.1) or `raw`. They differ for
	// characters such as `+ / = & %`. Default: `form`.
	BasicEncoding string `json:"basic_encoding,omitempty"`

	// The private key that signs assertions, for `private_key_jwt`, for the grant
	// `jwt_bearer`, and for `{assertion}`; or the key of `certificate`, for
	// `tls_client_auth`. PEM (PKCS #8, PKCS #1, SEC 1), a JWK (RFC 7517), or the
	// JSON key file of a Google service account. Default: none.
	PrivateKey string `json:"private_key,omitempty"`

	// The identifier of the private key, as `kid` of assertions. Default: that of
	// the JWK or service account, else none.
	KeyID string `json:"key_id,omitempty"`

	// The algorithm of assertions: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`,
	// `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA`, or for `client_secret_jwt`
	// `HS256`, `HS384`, `HS512`. Default: `RS256`, the one of the key's curve, or
	// `HS256`.
	SigningAlg string `json:"signing_alg,omitempty"`

	// The client's certificate, as PEM: presented in the TLS handshake with
	// `tls_client_auth`, else named in assertions by its thumbprint (`x5t#S256`,
	// RFC 7515 section 4.1.8). It must be the certificate of `private_key`. Default:
	// none.
	Certificate string `json:"certificate,omitempty"`

	// Whether upstreams are shown the client's certificate too, with
	// `tls_client_auth`, and with tokens that are bound to it (RFC 8705 section 3). `on` or
	// `off`. Each token travels on connections with the certificate that it was obtained
	// with. Default: `on`.
	UpstreamCertificate string `json:"upstream_certificate,omitempty"`

	// An assertion that authenticates the client (RFC 7521 section 4.2), if somebody
	// else makes it: a service account token of Kubernetes, a JWT-SVID of SPIFFE. It is
	// read anew at each attempt, and sent as it stands; where an `exp` can be read in it
	// that is past, nothing is sent, and it is looked at again each second. It goes
	// without `private_key` and `claim`, and `client_id` is sent if it is there. Default:
	// none.
	ClientAssertion string `json:"client_assertion,omitempty"`

	// What `client_assertion` is: `jwt-bearer` (RFC 7523 section 2.2), `jwt-spiffe`
	// (draft-ietf-oauth-spiffe-client-auth), or any absolute URI. Default:
	// `jwt-bearer`.
	ClientAssertionType string `json:"client_assertion_type,omitempty"`

	// By what name assertions that are signed here call the server, as `aud`: `issuer` or
	// `token_endpoint`. Default: `issuer` with the setting of that name, else
	// `token_endpoint`.
	AssertionAudience string `json:"assertion_audience,omitempty"`
	// Access tokens that only the holder of a private key can use (RFC 9449). Default: bearer
	// tokens.
	DPoP *DPoP `json:"dpop,omitempty"`

	// Demands that tokens are bound to the client's certificate (RFC 8705 section 3), that of
	// `tls_client_auth` or of `tls`: the `mtls_endpoint_aliases` of the issuer are asked, a
	// token that says that it is not bound to it is not used, and one that is may be handed
	// to others, who have the certificate. The refresh token of a public client is bound
	// too, and is presented with that certificate alone. Default: `false`; a token that says
	// itself that it is bound travels with the certificate in any case.
	CertificateBound bool `json:"certificate_bound,omitempty"`

	// Claims of the assertion that is signed, laid over `iss` (the client_id),
	// `sub` (the username if there is one, else the client_id), `aud` (see
	// `assertion_audience`), `iat`, `exp` (in 5 minutes) and `jti`. `-` omits a claim, `json:…`
	// is the JSON after the colon, and `exp`, `iat` and `nbf` are durations from
	// now. Default: none.
	Claim map[string]string `json:"claim,omitempty"`

	// The assertion of the grant `jwt_bearer` (RFC 7523 section 2.1), if somebody
	// else makes it. Default: one that is signed with `private_key`.
	Assertion string `json:"assertion,omitempty"`

	// The token that the grant `token_exchange` exchanges (RFC 8693). With a
	// placeholder of the request, such as `{http.request.header.Authorization}`,
	// each caller's own token is exchanged: see `max_entries`. A scheme `Bearer`,
	// `Token` or `JWT` before it is dropped. The header, cookie or query parameter
	// that held it ends here.
	SubjectToken string `json:"subject_token,omitempty"`

	// The type of the subject token. Default:
	// `urn:ietf:params:oauth:token-type:access_token`.
	SubjectTokenType string `json:"subject_token_type,omitempty"`

	// The token of who acts for the subject (RFC 8693 section 2.1). Default: none.
	ActorToken string `json:"actor_token,omitempty"`

	// The type of the actor token. Required with `actor_token`.
	ActorTokenType string `json:"actor_token_type,omitempty"`

	// The type of token to ask for (RFC 8693 section 2.1). Default: the server's.
	RequestedTokenType string `json:"requested_token_type,omitempty"`

	// How many tokens of callers are kept at most; beyond that what has expired
	// makes room, then what was used longest ago. Only with a `subject_token` that is the caller's. Default: `10000`.
	MaxEntries int `json:"max_entries,omitempty"`

	// The first refresh token, the seed. It is presented once; from then on the
	// refresh token in the client's record counts, across restarts. Another
	// value, never seen before, replaces the grant. A seed that cannot be
	// resolved is an error only if there is no record.
	RefreshToken string `json:"refresh_token,omitempty"`

	// The resource owner's username, for the grant `password`.
	Username string `json:"username,omitempty"`

	// The resource owner's password, for the grant `password`.
	Password string `json:"password,omitempty"`

	// The scope to ask for (RFC 6749 section 3.3). Default: none.
	Scope []string `json:"scope,omitempty"`

	// The audience to ask for, as `audience` parameters. Default: none.
	Audience []string `json:"audience,omitempty"`

	// The resources to ask for (RFC 8707): absolute URIs. Default: none.
	Resource []string `json:"resource,omitempty"`

	// What to ask for beyond a scope (RFC 9396): an array of objects, each with a `type`, or
	// one placeholder of a file that holds such an array. It is taken verbatim: braces in it
	// are JSON's. It goes into log-ins and token requests. Default: none.
	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`

	// Further parameters of token requests. With `params_in json` dotted names
	// nest, and a value that starts with `json:` is sent as the JSON after it.
	Param map[string][]string `json:"param,omitempty"`

	// Further headers of token requests.
	Header map[string][]string `json:"header,omitempty"`

	// Other names for the parameters of RFC 6749, from canonical to wire name,
	// as in `client_id appid`; `-` omits a parameter.
	ParamNames map[string]string `json:"param_names,omitempty"`

	// Where the answer holds the access token: a dotted path into its JSON.
	// `a|b` takes the first that is there; `header:X`, `cookie:X` and `@body`
	// look elsewhere. Default: `access_token`.
	AccessTokenPath string `json:"access_token_path,omitempty"`

	// Where the answer holds a new refresh token. Default: `refresh_token`.
	RefreshTokenPath string `json:"refresh_token_path,omitempty"`

	// Where the answer holds an ID token. Default: `id_token`.
	IDTokenPath string `json:"id_token_path,omitempty"`

	// Where the answer holds the access token's lifetime. Default: `expires_in`.
	ExpiresPath string `json:"expires_path,omitempty"`

	// Where the answer says when the access token was issued, as RFC 3339 or in
	// seconds since 1970: its lifetime counts from there, for servers that hand out
	// a token again. Default: none, it counts from the request.
	IssuedAtPath string `json:"issued_at_path,omitempty"`

	// Where the answer says when the refresh token itself ends, and with it the grant,
	// if no refresh moves that: a number of seconds from now, a Unix time, or RFC 3339.
	// `0` is no end. Default:
	// `refresh_token_expires_in|refresh_expires_in|x_refresh_token_expires_in|refresh_token_expires_at`.
	RefreshTokenExpiresPath string `json:"refresh_token_expires_path,omitempty"`

	// How long a refresh token lives whose answer does not say so. It counts from the
	// answer that brought it; for the first one, from the first answer to it. Default:
	// it has no end.
	RefreshTokenExpiresIn caddy.Duration `json:"refresh_token_expires_in,omitempty"`

	// Where an answer holds its error code. Default: `error`.
	ErrorPath string `json:"error_path,omitempty"`

	// How the lifetime is written: `seconds`, `milliseconds`, `rfc3339`, `unix`,
	// `unix_ms`, `duration`, `jwt` (the access token's own `exp`) or `none`. Times
	// count by the server's clock, which the `Date` of its answer tells, or by this
	// machine's, whichever leaves less. Default: `seconds`.
	ExpiresFormat string `json:"expires_format,omitempty"`

	// The lifetime of an access token whose answer names none, or nonsense.
	// Default: `1h`.
	DefaultExpiresIn caddy.Duration `json:"default_expires_in,omitempty"`

	// Which answers say that the grant is dead, so that nobody asks again: matchers
	// of the form `[<status>] [<code> [<description>]]`. A code with blanks stands in
	// quotes, as in `400 "Bad Request"`. Three digits from 400 to 599 alone are a
	// status, and with `*` before them an error code: `* 401`. Without a status, or
	// with `*`, any below 500 counts. What `error_path` takes for no error is an error
	// here. Default: `invalid_grant`.
	TerminalErrors []string `json:"terminal_errors,omitempty"`

	// What a success without a new refresh token means: `optional` (nothing),
	// `required` (it is used, but an alarm is raised), or `ignore` (the refresh
	// token never changes, and no durable state is needed). Default: `optional`.
	Rotation string `json:"rotation,omitempty"`

	// How long an access token still works once a new one was issued:
	// `until_expiry`, `none`, or a duration. With `none`, requests are held for
	// the moment of the exchange, so that none carries a dead token. Default:
	// `until_expiry`.
	RotationOverlap string `json:"rotation_overlap,omitempty"`

	// How long to wait for the answers to requests already sent before the token
	// is exchanged, with `rotation_overlap none`. Default: `2s`.
	Quiesce caddy.Duration `json:"quiesce,omitempty"`

	// How long the server forgives that a refresh token is presented again which it
	// has exchanged already. With a store that replicas share, another replica
	// presents at once what one that disappeared was about to, if this is longer than
	// the lease of the store; otherwise only when there is need, and when no answer can
	// come any more. Default: `0`.
	ReuseGrace caddy.Duration `json:"reuse_grace,omitempty"`

	// The token is refreshed when this share of its lifetime remains, and up to
	// 5 % of the lifetime earlier. Default: `0.3333` (one third).
	RefreshWindowRatio float64 `json:"refresh_window_ratio,omitempty"`

	// The least time between two token requests. Default: `1s`.
	MinRefreshInterval caddy.Duration `json:"min_refresh_interval,omitempty"`

	// How long one token request may take in all. Default: `30s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long a request waits for a valid token before it is answered 503.
	// Default: `10s`.
	Wait caddy.Duration `json:"wait,omitempty"`

	// Where tokens are put into requests. Default: the header `Authorization`
	// with `Bearer {access_token}` (RFC 6750 section 2.1), or with `dpop` that with
	// `DPoP {access_token}` (RFC 9449 section 7.1), and then the access token may go nowhere else.
	Inject []inject.Injection `json:"inject,omitempty"`

	// How many bytes of a request's body are kept so that it can be sent again
	// after a 401. `0` never sends again a request that has a body. Default:
	// `64KiB`.
	ReplayBuffer *int64 `json:"replay_buffer,omitempty"`

	// Which answers of an upstream mean that the access token is dead, beside 401,
	// and beside `error="invalid_token"` in a `Bearer` challenge of any 4xx: any of
	// these. Such an answer is handled as a 401 is: the token is refreshed, and the
	// request sent again where that is safe. Default: none.
	Rejected []rejection.Rejection `json:"rejected,omitempty"`

	// Takes away what counts by itself, 401 and `invalid_token`, so that only
	// `rejected` says when a token is dead. In a Caddyfile, `rejected off`. Default:
	// `false`.
	RejectedOff bool `json:"rejected_off,omitempty"`

	// Allows a token endpoint without TLS beyond loopback. Secrets are then
	// readable on the network. Default: `false`.
	AllowHTTP bool `json:"allow_http,omitempty"`

	// The forward proxy of everything that the client asks of its authorization
	// server: the URL of one (`http://`, `https://` or `socks5://`), `none`, or
	// `from_environment` (`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`). Its user and
	// password may be in the URL, best as placeholders. One that would read secrets,
	// because the endpoint is plain http, must be named by `allow`. Default:
	// `from_environment`.
	Proxy string `json:"proxy,omitempty"`

	// TLS to the token endpoint: certificate authorities, client certificate,
	// server name. The client certificate's files are read again for each handshake.
	// Default: the system's authorities.
	TLS *reverseproxy.TLSConfig `json:"tls,omitempty"`

	// Where the token may go: origins such as `https://api.example.com`,
	// `https://*.example.com:*` (any port), `http://10.0.0.0/8` or
	// `unix//run/api.sock`. A host alone means `https://`, and a network alone
	// any port. `http://` is the consent to send the token in the clear, which
	// others on that network can read. Compared are scheme, port and the name
	// that the server must prove, which is `tls_server_name` if that is set, and
	// else the upstream's host. A forward proxy that would read the token, because
	// the upstream is plain http, must be named too, as in
	// `http://proxy.internal:3128` or `socks5://proxy.internal`: neither a network
	// nor `*` names one. `{env.*}` and `{file.*}` placeholders are
	// resolved when the configuration is loaded. Default: the static upstreams
	// of the handler that uses the client, if they are https, loopback or unix
	// sockets.
	Allow []string `json:"allow,omitempty"`

	// Files that the token is kept in, for programs that read one: see `token_file`. Each
	// replica writes its own. Whoever can read one can use the token, wherever `allow` says
	// that it may go. Not for a client whose callers have tokens of their own. Default:
	// none.
	TokenFile []tokenfile.File `json:"token_file,omitempty"`

	// Allows `lamplighter tokens print`, and with it whoever can open the admin socket, to
	// have the access token itself. The socket must be a unix socket that only one user can
	// open. Not for a client whose callers have tokens of their own. Default: `false`.
	AllowPrint bool `json:"allow_print,omitempty"`

	// Where the client's record is kept: a module of the namespace
	// `oauth2_client.stores`, `{"kind": "file", …}` or that of another kind. Without a
	// kind it is `file`. Default: the `store` of the app, and a file below Caddy's
	// data directory if there is none.
	Store json.RawMessage `json:"store,omitempty" caddy:"namespace=oauth2_client.stores inline_key=kind"`

	// Where the client is declared, as `file:line`, for error messages. The
	// Caddyfile adapter sets it.
	DeclaredAt string `json:"declared_at,omitempty"`
}
