package tokenendpoint

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestASecretArrivesIntactByEveryMethod reads the request as a server does, with
// what most often goes wrong in a secret.
func TestASecretArrivesIntactByEveryMethod(t *testing.T) {
	const secret = "oG4+q/x=&%25 é"
	long := strings.Repeat(secret, 3) // HS256 wants 32 bytes
	header := func(raw, name string) string {
		head, _, _ := strings.Cut(raw, "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if value, ok := strings.CutPrefix(line, name+": "); ok {
				return value
			}
		}
		return ""
	}
	basic := func(raw string) string {
		pair, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header(raw, "Authorization"), "Basic "))
		if err != nil {
			t.Fatal(err)
		}
		_, got, _ := strings.Cut(string(pair), ":")
		return got
	}
	for name, test := range map[string]struct {
		dialect Dialect
		read    func(raw string) string
		secret  string
	}{
		"client_secret_basic, form": {Dialect{}, func(raw string) string {
			got, err := url.QueryUnescape(basic(raw))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}, secret},
		"client_secret_basic, raw": {Dialect{BasicEncoding: "raw"}, basic, secret},
		"client_secret_post, form": {Dialect{AuthMethod: "client_secret_post"}, func(raw string) string {
			return parameters(t, raw, "form").Get("client_secret")
		}, secret},
		"client_secret_post, query": {Dialect{AuthMethod: "client_secret_post", ParamsIn: "query"}, func(raw string) string {
			return parameters(t, raw, "query").Get("client_secret")
		}, secret},
		"client_secret_post, GET": {Dialect{AuthMethod: "client_secret_post", ParamsIn: "query", Method: "GET"}, func(raw string) string {
			return parameters(t, raw, "query").Get("client_secret")
		}, secret},
		"client_secret_post, json": {Dialect{AuthMethod: "client_secret_post", ParamsIn: "json"}, func(raw string) string {
			_, body, _ := strings.Cut(raw, "\r\n\r\n")
			var params map[string]string
			if err := json.Unmarshal([]byte(body), &params); err != nil {
				t.Fatal(err)
			}
			return params["client_secret"]
		}, secret},
		"client_secret_jwt": {Dialect{AuthMethod: "client_secret_jwt"}, func(raw string) string {
			signed, err := jose.ParseSigned(parameters(t, raw, "form").Get("client_assertion"), []jose.SignatureAlgorithm{jose.HS256})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signed.Verify([]byte(long)); err != nil {
				return err.Error()
			}
			return long
		}, long},
	} {
		t.Run(name, func(t *testing.T) {
			test.dialect.GrantType = "client_credentials"
			raw, a := exchangeRaw(t, test.dialect, Request{URL: "/token", ClientID: "app", ClientSecret: test.secret})
			if got := test.read(raw); got != test.secret || a.Outcome != Granted {
				t.Errorf("it arrives as %q of %q: %+v", got, raw, a)
			}
		})
	}
}
