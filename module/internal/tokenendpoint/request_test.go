package tokenendpoint

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"lamplighter/module/internal/tokenendpoint/asking"
)

// eiam is the dialect of Tencent Cloud EIAM,
// https://cloud.tencent.com/document/product/1442/62429.
var eiam = Dialect{
	ParamsIn: "query", AuthMethod: "client_secret_post", BasicEncoding: "raw", GrantType: "refresh_token",
	TerminalErrors: []string{"401 invalid_request invalid_token"},
}

func eiamWith(authMethod string) Dialect {
	d := eiam
	d.AuthMethod = authMethod
	return d
}

const eiamAnswer = `{
    "access_token": "c6a40b1e35058eaed0f59509b541",
    "expires_in": 7200,
    "refresh_token": "6865e2501df8081e4562e26c82",
	"id_token": "fyJhbGoisdfIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhc2Rhc2QifQ.aWErSpZtZ"
}`

// exchangeRaw returns what a request looks like on the wire.
func exchangeRaw(t *testing.T, d Dialect, r Request) (request string, a Answer) {
	t.Helper()
	server := serveRaw(t, func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, httpAnswer(eiamAnswer)) })
	r.URL = "http://" + server.address + r.URL
	a = ask(t, d, r)
	if seen := server.seen(); len(seen) == 1 {
		return strings.ReplaceAll(seen[0], server.address, "HOST"), a
	}
	t.Fatalf("%d requests: %+v", len(server.seen()), a)
	return "", a
}

func TestEIAMIsAskedAsItsPageShows(t *testing.T) {
	request := Request{
		URL: "/auth/oauth2/token", ClientID: "ODQyNGJlYmFjYWFmWE4YjkwNjU4MzMxOThkMGU", ClientSecret: "oG412Uk6gUWlwJfvWUdJht1j+q",
		RefreshToken: "a6a40b185c58eaed0f59509b567",
	}
	for _, test := range []struct{ authMethod, line, authorization string }{
		{
			"client_secret_post",
			"POST /auth/oauth2/token?client_id=ODQyNGJlYmFjYWFmWE4YjkwNjU4MzMxOThkMGU&grant_type=refresh_token&client_secret=oG412Uk6gUWlwJfvWUdJht1j%2Bq&refresh_token=a6a40b185c58eaed0f59509b567 HTTP/1.1\r\n",
			"",
		}, {
			"client_secret_basic",
			"POST /auth/oauth2/token?grant_type=refresh_token&refresh_token=a6a40b185c58eaed0f59509b567 HTTP/1.1\r\n",
			"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ODQyNGJlYmFjYWFmWE4YjkwNjU4MzMxOThkMGU:oG412Uk6gUWlwJfvWUdJht1j+q")) + "\r\n",
		},
	} {
		t.Run(test.authMethod, func(t *testing.T) {
			got, a := exchangeRaw(t, eiamWith(test.authMethod), request)
			want := test.line + "Host: HOST\r\nUser-Agent: lamplighter\r\nContent-Length: 0\r\nAccept: application/json\r\n" +
				test.authorization + "Connection: close\r\n\r\n"
			if got != want {
				t.Errorf("on the wire:\n%q\nwant:\n%q", got, want)
			}
			if a.Outcome != Granted || a.AccessToken != "c6a40b1e35058eaed0f59509b541" || a.RefreshToken != "6865e2501df8081e4562e26c82" ||
				a.ExpiresIn.Hours() != 2 || a.ExpiresDefaulted != "" || !strings.HasPrefix(a.IDToken, "fyJhbGoisdf") || a.Unusable != "" || !a.SentAt.Equal(now) {
				t.Errorf("answer: %+v", a)
			}
		})
	}
}

var awkward = []string{`a+b/c==&d=e%20f g é"\`, "%2B", "+", "日本", "a b", "a:b", "#?&=;,/"}

func TestSecretsArriveIntact(t *testing.T) {
	for _, secret := range awkward {
		for _, paramsIn := range []string{"query", "form"} {
			raw, _ := exchangeRaw(t, Dialect{ParamsIn: paramsIn, AuthMethod: "client_secret_post", GrantType: "refresh_token"},
				Request{URL: "/token?tenant=1", ClientID: secret, ClientSecret: secret, RefreshToken: secret})
			values := parameters(t, raw, paramsIn)
			for _, name := range []string{"client_id", "client_secret", "refresh_token"} {
				if got := values[name]; len(got) != 1 || got[0] != secret {
					t.Errorf("params_in %s: %s %q arrives as %q", paramsIn, name, secret, got)
				}
			}
			if paramsIn == "query" && values.Get("tenant") != "1" {
				t.Errorf("the query of the token endpoint's own URL is gone: %q", raw)
			}
		}
	}
}

// parameters reads a request as a server would.
func parameters(t *testing.T, raw, paramsIn string) url.Values {
	t.Helper()
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	text := body
	if paramsIn == "query" {
		if body != "" {
			t.Errorf("the body is not empty: %q", body)
		}
		target := strings.Fields(head)[1]
		_, text, _ = strings.Cut(target, "?")
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestBasicAuthenticationIsFormEncodedUnlessRaw(t *testing.T) {
	const id, secret = "the client", "s+e/c=r&e%t é"
	for encoding, want := range map[string]string{
		"raw":  id + ":" + secret,
		"form": url.QueryEscape(id) + ":" + url.QueryEscape(secret),
		"":     url.QueryEscape(id) + ":" + url.QueryEscape(secret),
	} {
		raw, _ := exchangeRaw(t, Dialect{BasicEncoding: encoding, GrantType: "client_credentials"}, Request{URL: "/", ClientID: id, ClientSecret: secret})
		if header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(want)) + "\r\n"; !strings.Contains(raw, header) {
			t.Errorf("basic_encoding %q: no %q in %q", encoding, header, raw)
		}
		if strings.Contains(raw, "client_id") || strings.Contains(raw, "client_secret") {
			t.Errorf("two ways of authentication at once: %q", raw)
		}
	}
}

func TestRawBasicAuthenticationRefusesAColonInTheClientID(t *testing.T) {
	a := ask(t, eiamWith("client_secret_basic"), Request{URL: "http://127.0.0.1:1/", ClientID: "a:b", ClientSecret: "s3cret-value"})
	if a.Outcome != Misconfigured || a.Cause != CauseInvalidRequest || !strings.Contains(a.Detail, "basic_encoding form") {
		t.Errorf("answer: %+v", a)
	}
}

func TestAPublicClientSendsItsIDAlone(t *testing.T) {
	raw, _ := exchangeRaw(t, Dialect{AuthMethod: "none", GrantType: "refresh_token"}, Request{URL: "/", ClientID: "app", RefreshToken: "R1"})
	if got := parameters(t, raw, "form").Encode(); got != "client_id=app&grant_type=refresh_token&refresh_token=R1" {
		t.Errorf("parameters: %s", got)
	}
	if strings.Contains(raw, "Authorization") {
		t.Errorf("an Authorization header: %q", raw)
	}
}

func TestParametersOfEveryGrantAreSent(t *testing.T) {
	raw, _ := exchangeRaw(t,
		Dialect{AuthMethod: "client_secret_post", GrantType: "password", ParamNames: map[string]string{"client_id": "appid", "grant_type": "-"}},
		Request{
			URL: "/", ClientID: "app", ClientSecret: "x", Username: "u", Password: "p", Scope: []string{"a", "b c"},
			Audience: []string{"one", "two"}, Resource: []string{"https://r.example"},
			Params: map[string][]string{"extra": {"1", "2"}}, Header: http.Header{"x-tenant": {"t1"}, "host": {"virtual.example"}},
		})
	want := "appid=app&audience=one&audience=two&client_secret=x&extra=1&extra=2&password=p&resource=https%3A%2F%2Fr.example&scope=a+b+c&username=u"
	if got := parameters(t, raw, "form").Encode(); got != want {
		t.Errorf("parameters:\n%s\nwant:\n%s", got, want)
	}
	for _, header := range []string{"\r\nX-Tenant: t1\r\n", "\r\nHost: virtual.example\r\n", "\r\nContent-Type: application/x-www-form-urlencoded\r\n"} {
		if !strings.Contains(raw, header) {
			t.Errorf("no %q in %q", header, raw)
		}
	}
}

func TestJSONParametersNestAndHaveTypes(t *testing.T) {
	raw, _ := exchangeRaw(t,
		Dialect{ParamsIn: "json", AuthMethod: "client_secret_post", GrantType: "client_credential", ParamNames: map[string]string{"client_id": "appid", "client_secret": "secret"}},
		Request{URL: "/", ClientID: "id", ClientSecret: `q"\`, Params: map[string][]string{
			"force_refresh": {"json:false"}, "auth.identity.methods": {`json:["password"]`}, "auth.identity.name": {"n"}, "list": {"1", "2"},
		}})
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	want := `{"appid":"id","auth":{"identity":{"methods":["password"],"name":"n"}},"force_refresh":false,"grant_type":"client_credential","list":["1","2"],"secret":"q\"\\"}`
	if body != want {
		t.Errorf("body:\n%s\nwant:\n%s", body, want)
	}
}

func TestGETHasNoBody(t *testing.T) {
	raw, _ := exchangeRaw(t, Dialect{Method: "GET", ParamsIn: "query", AuthMethod: "client_secret_post", GrantType: "-"}, Request{URL: "/gettoken", ClientID: "id", ClientSecret: "se"})
	if !strings.HasPrefix(raw, "GET /gettoken?client_id=id&client_secret=se HTTP/1.1\r\n") || !strings.HasSuffix(raw, "\r\n\r\n") || strings.Contains(raw, "Content-Length") {
		t.Errorf("on the wire: %q", raw)
	}
}

func TestARequestThatCannotBeBuiltIsNotSent(t *testing.T) {
	for name, r := range map[string]Request{
		"no URL":          {},
		"no JSON":         {URL: "http://127.0.0.1:1/", Params: map[string][]string{"a": {"json:{hunter22"}}},
		"nests in value":  {URL: "http://127.0.0.1:1/", Params: map[string][]string{"a": {"hunter22"}, "a.b": {"2"}}},
		"broken URL":      {URL: "http://[::1/?client_secret=hunter22"},
		"value and nests": {URL: "http://127.0.0.1:1/", Params: map[string][]string{"grant_type.a": {"hunter22"}}},
	} {
		a := ask(t, Dialect{ParamsIn: "json", AuthMethod: "none", GrantType: "x"}, r)
		if a.Outcome != Misconfigured || a.Cause != CauseInvalidRequest || a.Detail == "" || strings.Contains(a.Detail, "hunter22") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestUnknownSettingsAreNamed(t *testing.T) {
	for want, d := range map[string]Dialect{
		`method "PUT" is unknown: use POST or GET`:             {Method: "PUT"},
		`params_in "body" is unknown: use form, query or json`: {ParamsIn: "body"},
		`token_endpoint_auth_method "auto" is unknown`:         {AuthMethod: "auto"},
		`basic_encoding "rfc" is unknown: use form or raw`:     {BasicEncoding: "rfc"},
		`expires_format "minutes" is unknown`:                  {ExpiresFormat: "minutes"},
		`method GET has no body for params_in form`:            {Method: "GET"},
		`param_names: "appid" is no parameter`:                 {ParamNames: map[string]string{"appid": "client_id"}},
		`terminal_errors: an error code is empty`:              {TerminalErrors: []string{""}},
		`default_expires_in -1s is negative`:                   {DefaultExpiresIn: -1e9},
	} {
		if _, err := newOver(d, asking.Connection{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want it to say %s", d, err, want)
		}
	}
}

func TestASecretThatLooksTypedIsAString(t *testing.T) {
	c := newClient(t, Dialect{ParamsIn: "json", AuthMethod: "client_secret_post", GrantType: "client_credentials"})
	body, err := jsonEncode(c.params(&Request{ClientID: "erp", ClientSecret: "json:[1]", Params: map[string][]string{"level": {"json:3"}}}))
	if want := `{"client_id":"erp","client_secret":"json:[1]","grant_type":"client_credentials","level":3}`; err != nil || string(body) != want {
		t.Errorf("%s, %v; want %s", body, err, want)
	}
}
