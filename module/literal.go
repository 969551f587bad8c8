package module

import (
	"net/url"
	"regexp"
	"strings"
)

// secretName tells settings of many names that hold secrets from those that do
// not.
var secretName = regexp.MustCompile(`(?i)secret|passw|pwd|token|key|assertion|credential|auth|cookie|session|signature|sign$|code`)

// isLiteral reports whether a value is itself in the configuration, rather than
// where to find it.
func isLiteral(value string) bool { return value != "" && !strings.Contains(value, "{") }

func literalWarning(setting string) string {
	return setting + " is a literal value, or a {$VARIABLE}, and so is visible in the admin API, in autosave.json and in adapted configurations; write {file./path/to/it} or {env.NAME}"
}

// literalSecrets are warnings about secrets that are part of the configuration.
func (c *Client) literalSecrets() (list []string) {
	for setting, value := range map[string]string{
		"client_secret": c.ClientSecret, "refresh_token": c.RefreshToken, "password": c.Password,
		"client_secret_next": c.ClientSecretNext, "private_key": c.PrivateKey, "assertion": c.Assertion,
		"subject_token": c.SubjectToken, "actor_token": c.ActorToken,
	} {
		if isLiteral(value) {
			list = append(list, literalWarning(setting))
		}
	}
	if hasLiteralPassword(c.Proxy) {
		list = append(list, literalWarning("the password of proxy"))
	}
	for setting, values := range map[string]map[string][]string{
		"param": c.Param, "header": c.Header, "the query of token_endpoint": queryOf(c.TokenEndpoint),
	} {
		for name, all := range values {
			for _, value := range all {
				if secretName.MatchString(name) && isLiteral(value) {
					list = append(list, literalWarning(setting+" "+name))
				}
			}
		}
	}
	return list
}

// hasLiteralPassword reports whether a URL holds a password itself.
func hasLiteralPassword(place string) bool {
	i := strings.LastIndexByte(place, '@')
	_, userinfo, _ := strings.Cut(place[:max(i, 0)], "://")
	_, password, _ := strings.Cut(userinfo, ":")
	return isLiteral(password)
}

func queryOf(raw string) map[string][]string {
	_, query, _ := strings.Cut(raw, "?")
	values, _ := url.ParseQuery(query) // what cannot be parsed has no name
	return values
}
