package tokenendpoint

import (
	"net/url"
	"strings"

	"lamplighter/module/internal/redact"
)

// secretsOf are the secrets of a token request. Its parameters and headers may be
// anything, and so may the query of its address.
func secretsOf(r *Request) *redact.Secrets {
	s := &redact.Secrets{}
	secrets := []string{
		r.ClientSecret, r.ClientSecretNext, r.RefreshToken, r.Password, r.Assertion, r.SubjectToken, r.ActorToken,
		r.PrivateKey, r.clientAssertion, r.signed,
	}
	s.Add(secrets...)
	redact.Remember(secrets...)
	s.AddWhole(r.Username)
	for _, values := range r.Params {
		s.AddWhole(values...)
	}
	for _, values := range r.Header {
		s.AddWhole(values...)
	}
	if endpoint, err := url.Parse(r.URL); err == nil {
		s.AddWhole(endpoint.RawQuery)
		for _, values := range endpoint.Query() {
			s.AddWhole(values...)
		}
	}
	return s
}

// addCredentials takes the value of a header Authorization.
func addCredentials(s *redact.Secrets, authorization string) {
	if _, credentials, ok := strings.Cut(authorization, " "); ok {
		s.Add(credentials)
	}
}

// valuesOf are the values of a token request that its answer may repeat.
func valuesOf(r *Request) map[string]bool {
	values := map[string]bool{
		r.RefreshToken: true, r.ClientSecret: true, r.Password: true, r.Assertion: true, r.SubjectToken: true, r.ActorToken: true,
		r.clientAssertion: true, r.signed: true, r.ClientID: true, r.ClientSecretNext: true, r.Username: true,
	}
	for _, all := range []map[string][]string{r.Params, r.Header} {
		for _, list := range all {
			for _, value := range list {
				values[value] = true
			}
		}
	}
	return values
}
