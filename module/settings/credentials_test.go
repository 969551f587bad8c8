package settings_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/settings"
	"lamplighter/module/tokenfile"
)

func TestSettingsThatDoNotBelongTogetherAreRefusedWithTheRemedy(t *testing.T) {
	const place = "https://as.example.com/token"
	for want, c := range map[string]settings.Client{
		"token_endpoint is missing":  {},
		"issuer names the endpoints": {TokenEndpoint: place, Issuer: "https://as.example.com"},
		"client_id is missing":       {TokenEndpoint: place, ClientSecret: "s"},
		"client_secret is missing: token_endpoint_auth_method client_secret_jwt needs it":       {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "client_secret_jwt"},
		"private_key is missing: token_endpoint_auth_method private_key_jwt":                    {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "private_key_jwt"},
		"client_secret is of no use with token_endpoint_auth_method private_key_jwt":            {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", PrivateKey: "k", TokenEndpointAuthMethod: "private_key_jwt"},
		"certificate is missing: token_endpoint_auth_method tls_client_auth":                    {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "tls_client_auth"},
		"certificate and private_key belong together":                                           {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "tls_client_auth", Certificate: "c"},
		"private_key is of no use here":                                                         {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", PrivateKey: "k"},
		"signing_alg, key_id and claim are of no use here":                                      {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", SigningAlg: "RS256"},
		"signing_alg RS256 needs a private key":                                                 {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", SigningAlg: "RS256", TokenEndpointAuthMethod: "client_secret_jwt"},
		"signing_alg HS256 is for token_endpoint_auth_method client_secret_jwt":                 {TokenEndpoint: place, ClientID: "c", PrivateKey: "k", SigningAlg: "HS256", TokenEndpointAuthMethod: "private_key_jwt"},
		`signing_alg "none" is unknown: use RS256`:                                              {TokenEndpoint: place, ClientID: "c", PrivateKey: "k", SigningAlg: "none", TokenEndpointAuthMethod: "private_key_jwt"},
		"assertion is missing: grant_type jwt_bearer":                                           {TokenEndpoint: place, ClientID: "c", GrantType: "jwt_bearer"},
		"assertion is of no use with grant_type client_credentials":                             {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", Assertion: "a"},
		"subject_token is missing: grant_type token_exchange":                                   {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", GrantType: "token_exchange"},
		"subject_token is of no use with grant_type client_credentials":                         {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", SubjectToken: "t"},
		"actor_token_type is missing":                                                           {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", GrantType: "token_exchange", SubjectToken: "t", ActorToken: "a"},
		"refresh_token is of no use with grant_type jwt_bearer":                                 {TokenEndpoint: place, ClientID: "c", GrantType: "jwt_bearer", Assertion: "a", RefreshToken: "r"},
		"password is of no use with grant_type client_credentials":                              {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", Password: "p"},
		"private_key is missing: {assertion} is signed with it":                                 {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", Header: map[string][]string{"X": {"{assertion}"}}},
		"refresh_token_expires_in is of no use":                                                 {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", RefreshTokenExpiresIn: 1e9},
		"refresh_token_expires_path is of no use":                                               {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", RefreshToken: "r", Rotation: "ignore", RefreshTokenExpiresPath: "ends"},
		"refresh_token_expires_in must not be negative":                                         {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", RefreshToken: "r", RefreshTokenExpiresIn: -1},
		`refresh_token_expires_path "$.ends"`:                                                   {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", RefreshToken: "r", RefreshTokenExpiresPath: "$.ends"},
		"max_entries is of no use":                                                              {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", MaxEntries: 5},
		"claim exp is no duration":                                                              {TokenEndpoint: place, ClientID: "c", PrivateKey: "k", GrantType: "jwt_bearer", Claim: map[string]string{"exp": "soon"}},
		"upstream_certificate is of no use with token_endpoint_auth_method client_secret_basic": {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", UpstreamCertificate: "off"},
		"certificate is missing: token_endpoint_auth_method self_signed_tls_client_auth":        {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "self_signed_tls_client_auth"},
		"certificate_bound needs a certificate to bind to":                                      {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", CertificateBound: true},
		"token_file /run/s: the client's own settings read that file":                           {TokenEndpoint: place, ClientID: "c", ClientSecret: "{file./run/s}", TokenFile: []tokenfile.File{{Path: "/run/s"}}},
		"token_file /run/k: the client's own settings read that file":                           {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "private_key_jwt", PrivateKey: "/run/k", TokenFile: []tokenfile.File{{Path: "/run/k"}}},
		"token_file: the tokens of a client with a certificate may be bound to it":              {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "tls_client_auth", Certificate: "c", PrivateKey: "k", TokenFile: []tokenfile.File{{Path: "/run/token"}}},
		"certificate_bound needs https":                                                         {TokenEndpoint: "http://127.0.0.1/token", ClientID: "c", ClientSecret: "s", CertificateBound: true, TLS: &reverseproxy.TLSConfig{ClientCertificateFile: "c", ClientCertificateKeyFile: "k"}},
		"certificate_bound of a public client needs":                                            {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "none", CertificateBound: true, TLS: &reverseproxy.TLSConfig{ClientCertificateAutomate: "c"}},
		"client_assertion authenticates the client, and token_endpoint_auth_method none":        {TokenEndpoint: place, ClientAssertion: "{file./token}", TokenEndpointAuthMethod: "none"},
		"client_secret is of no use with token_endpoint_auth_method private_key_jwt: ":          {TokenEndpoint: place, ClientAssertion: "{file./token}", ClientSecret: "s"},
		"private_key is of no use beside client_assertion":                                      {TokenEndpoint: place, ClientAssertion: "{file./token}", PrivateKey: "k"},
		"claim is of no use beside client_assertion":                                            {TokenEndpoint: place, ClientAssertion: "{file./token}", Claim: map[string]string{"aud": "x"}},
		"signing_alg, key_id and claim are of no use here, because":                             {TokenEndpoint: place, ClientAssertion: "{file./token}", KeyID: "1"},
		"client_assertion_type is of no use without client_assertion":                           {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", ClientAssertionType: "jwt-spiffe"},
		`client_assertion_type "spiffe" is unknown`:                                             {TokenEndpoint: place, ClientAssertion: "{file./token}", ClientAssertionType: "spiffe"},
		"assertion_audience is of no use here":                                                  {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", AssertionAudience: "token_endpoint"},
		"assertion_audience issuer needs the setting issuer":                                    {TokenEndpoint: place, ClientID: "c", PrivateKey: "k", TokenEndpointAuthMethod: "private_key_jwt", AssertionAudience: "issuer"},
		`assertion_audience "server" is unknown`:                                                {Issuer: "https://as.example.com", ClientID: "c", PrivateKey: "k", TokenEndpointAuthMethod: "private_key_jwt", AssertionAudience: "server"},
		"client_secret_next is of no use without client_secret":                                 {TokenEndpoint: place, ClientID: "c", ClientSecretNext: "s", PrivateKey: "k", TokenEndpointAuthMethod: "private_key_jwt"},
		"issuer on as.example.com is plain http":                                                {Issuer: "http://as.example.com", ClientID: "c", ClientSecret: "s"},
		`token_endpoint_auth_method "basic" is unknown: use client_secret_basic`:                {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", TokenEndpointAuthMethod: "basic"},
	} {
		err := c.Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

func TestSettingsOfEveryGrantAreAccepted(t *testing.T) {
	const place = "https://as.example.com/token"
	for name, c := range map[string]settings.Client{
		"jwt_bearer without a secret": {TokenEndpoint: place, ClientID: "c", GrantType: "jwt_bearer", PrivateKey: "k"},
		"jwt_bearer with a secret":    {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", GrantType: "jwt_bearer", Assertion: "a"},
		"token_exchange":              {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", GrantType: "token_exchange", SubjectToken: "{file./token}"},
		"each caller's":               {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", GrantType: "token_exchange", SubjectToken: "{http.request.header.Authorization}", MaxEntries: 3},
		"somebody else's assertion":   {TokenEndpoint: place, ClientAssertion: "{file./token}"},
		"… of another type":           {TokenEndpoint: place, ClientAssertion: "{file./token}", ClientAssertionType: "urn:example:assertion", ClientID: "c"},
		"a registered certificate":    {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "self_signed_tls_client_auth", Certificate: "c", PrivateKey: "k", UpstreamCertificate: "off"},
		"a secret, and a certificate": {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", CertificateBound: true, TLS: &reverseproxy.TLSConfig{ClientCertificateFile: "c", ClientCertificateKeyFile: "k"}},
		"a secret that signs":         {Issuer: "https://as.example.com", ClientID: "c", ClientSecret: "s", TokenEndpointAuthMethod: "client_secret_jwt", AssertionAudience: "token_endpoint"},
		"issuer":                      {Issuer: "https://as.example.com", ClientID: "c", ClientSecret: "s"},
		"a literal grant":             {TokenEndpoint: place, ClientID: "c", ClientSecret: "s", GrantType: "urn:example:grant", Assertion: "a"},
		"an assertion in a header":    {TokenEndpoint: place, ClientID: "c", TokenEndpointAuthMethod: "none", GrantType: "-", PrivateKey: "k", Header: map[string][]string{"Authorization": {"Bearer {assertion}"}}},
	} {
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
