package settings

import (
	"net/url"
	"regexp"
	"strings"

	"lamplighter/module/placeholder"
)

// secretName tells settings of many names that hold secrets from those that do
// not.
var secretName = regexp.MustCompile(`(?i)secret|passw|pwd|token|key|assertion|credential|auth|cookie|session|signature|sign$|code`)

// Warnings are about settings that work, and are hardly meant: secrets that are part of the
// configuration, or go to whoever asks for them, and words that are nearly known ones.
func (c *Client) Warnings() (list []string) {
	if c.TLS != nil && c.TLS.InsecureSkipVerify {
		list = append(list, "tls: with insecure_skip_verify anybody on the way to the token endpoint can take the secrets; use 'trust_pool' with the server's authority")
	}
	list = append(list, c.nearMisses()...)
	for setting, value := range map[string]string{
		"client_secret": c.ClientSecret, "refresh_token": c.RefreshToken, "password": c.Password,
		"client_secret_next": c.ClientSecretNext, "private_key": c.PrivateKey, "assertion": c.Assertion,
		"subject_token": c.SubjectToken, "actor_token": c.ActorToken, "client_assertion": c.ClientAssertion,
	} {
		if placeholder.IsLiteral(value) {
			list = append(list, placeholder.LiteralWarning(setting))
		}
	}
	if c.DPoP != nil && placeholder.IsLiteral(c.DPoP.Key) {
		list = append(list, placeholder.LiteralWarning("the key of dpop"))
	}
	if placeholder.HasLiteralPassword(c.Proxy) {
		list = append(list, placeholder.LiteralWarning("the password of proxy"))
	}
	for setting, values := range map[string]map[string][]string{
		"param": c.Param, "header": c.Header, "the query of token_endpoint": queryOf(c.TokenEndpoint),
	} {
		for name, all := range values {
			for _, value := range all {
				if secretName.MatchString(name) && placeholder.IsLiteral(value) {
					list = append(list, placeholder.LiteralWarning(setting+" "+name))
				}
			}
		}
	}
	return list
}

func queryOf(raw string) map[string][]string {
	_, query, _ := strings.Cut(raw, "?")
	values, _ := url.ParseQuery(query) // what cannot be parsed has no name
	return values
}
