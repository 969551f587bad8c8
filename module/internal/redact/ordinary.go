package redact

import (
	"strings"
	"unicode"
)

// ordinary are the words that errors of OAuth are made of. Who reads one has
// learned nothing of a secret that holds it too.
var ordinary = func() *grams {
	const words = `
access_token refresh_token id_token subject_token actor_token requested_token_type token_type token type
access token refresh token expires_in expired token invalid token bearer token
client_id client_secret client_assertion client_assertion_type client credentials client_credentials client secret
client authentication authorization_code authorization code authorization_pending authorization header
device_code device code code_verifier code_challenge redirect_uri response_type grant_type grant type
urn:ietf:params:oauth:grant-type:token-exchange urn:ietf:params:oauth:grant-type:device_code
urn:ietf:params:oauth:grant-type:jwt-bearer urn:ietf:params:oauth:client-assertion-type:jwt-bearer
urn:ietf:params:oauth:token-type:access_token
invalid_request invalid_client invalid_grant invalid_scope invalid_target unauthorized_client unsupported_grant_type
temporarily_unavailable server_error access_denied slow_down expired_token interaction_required
username password username or password credentials assertion resource audience certificate signature
application/x-www-form-urlencoded application/json content-type
https://www. http://www. https://login. https://localhost http://localhost http://127.0.0.1
-----BEGIN PRIVATE KEY----- -----BEGIN RSA PRIVATE KEY----- -----BEGIN EC PRIVATE KEY-----
-----BEGIN ENCRYPTED PRIVATE KEY----- -----BEGIN CERTIFICATE----- private key private_key public key
-----END PRIVATE KEY----- -----END RSA PRIVATE KEY----- -----END EC PRIVATE KEY-----
-----END ENCRYPTED PRIVATE KEY----- -----END CERTIFICATE-----`
	g := newGrams(len(words))
	for line := range strings.Lines(words) {
		for _, form := range forms(strings.TrimSpace(line)) {
			g.add(form)
		}
	}
	return g
}()

// isWord reports whether a value is an ordinary word: a short one of letters only,
// or one that errors of OAuth are made of.
func isWord(value string) bool {
	if len(value) >= minPart {
		return ordinary.whole(value)
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) })
}
