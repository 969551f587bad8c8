package settings

import (
	"strings"
	"testing"
)

func exchangingFrom(setting string) *Client {
	return &Client{
		TokenEndpoint: "https://login.example.com/token", ClientID: "app", ClientSecret: "literal",
		GrantType: "token_exchange", SubjectToken: setting,
	}
}

// Fault C7.
func TestASubjectTokenIsReadOnlyFromWhereItCanBeTakenOut(t *testing.T) {
	for setting, want := range map[string]string{
		"{http.request.header.Authorization}":                                "",
		"{http.request.header.x-user-token}":                                 "",
		"{http.request.cookie.session}":                                      "",
		"{http.request.uri.query.tok}":                                       "",
		"{http.request.header.Authorization}{http.request.cookie.session}":   "",
		"{http.vars.token}":                                                  "",
		"{http.auth.user.id}":                                                "",
		"{http.request.tls.client.certificate_der_base64}":                   "",
		"{http.request.tls.client.certificate_pem}":                          "certificate_der_base64",
		"{http.request.header.Cookie}":                                       "{http.request.cookie.<name>}",
		"{http.request.header.Host}":                                         "cannot carry a token",
		"{http.request.header.Content-Length}":                               "cannot carry a token",
		"{http.request.header.}":                                             "not a header name",
		"{http.request.header.a b}":                                          "not a header name",
		"{http.request.cookie.}":                                             "can be taken out",
		"{http.request.uri.query.}":                                          "can be taken out",
		"{http.request.uri}":                                                 "can be taken out",
		"{http.request.uri.query}":                                           "can be taken out",
		"{http.request.uri.path.1}":                                          "can be taken out",
		"{http.request.orig_uri.query}":                                      "can be taken out",
		"{http.request.body}":                                                "can be taken out",
		"{http.request.host}":                                                "can be taken out",
		"{http.request.remote.host}":                                         "can be taken out",
		"{http.request.method}":                                              "can be taken out",
		"{http.request.uuid}":                                                "can be taken out",
		"{http.vars.client_ip}":                                              "can be taken out",
		"{http.regexp.token.1}":                                              "can be taken out",
		"{http.response.header.X}":                                           "can be taken out",
		"{http.request.header.X-A}{env.SALT}":                                "mixes",
		"{http.request.header.X-A}{nobody}":                                  "mixes",
		"{http.request.header.X-A}{oauth2_client.other.access_token}":        "mixes",
		"{http.request.header.Authorization}{http.request.uri.path}":         "can be taken out",
		"{http.request.tls.cipher_suite}{http.request.header.Authorization}": "can be taken out",
		"{http.request.header.Authorization}{http.request.header.Transfer-Encoding}abcde": "cannot carry a token",
	} {
		err := exchangingFrom(setting).Check()
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "subject_token")) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
