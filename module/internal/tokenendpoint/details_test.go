package tokenendpoint

import (
	"encoding/json"
	"strings"
	"testing"
)

const wanted = `[{"type":"payment","limit":{"amount":"{100}"}}]`

func TestAuthorizationDetailsAreTextInAFormAndJSONInJSON(t *testing.T) {
	for in, want := range map[string]string{
		"form":  "authorization_details=%5B%7B%22type%22%3A%22payment%22%2C%22limit%22%3A%7B%22amount%22%3A%22%7B100%7D%22%7D%7D%5D",
		"query": "authorization_details=%5B%7B%22type%22%3A%22payment%22%2C%22limit%22%3A%7B%22amount%22%3A%22%7B100%7D%22%7D%7D%5D",
		"json":  `"authorization_details":` + wanted,
	} {
		c := newClient(t, Dialect{ParamsIn: in, GrantType: "client_credentials"})
		req, err := c.build(t.Context(), &Request{URL: "https://as.example.com/token", ClientID: "c", ClientSecret: "s", AuthorizationDetails: wanted})
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, req.ContentLength)
		_, _ = req.Body.Read(body)
		if got := string(body) + req.URL.RawQuery; !strings.Contains(got, want) {
			t.Errorf("%s: %s", in, got)
		}
	}
	c := newClient(t, Dialect{ParamNames: map[string]string{"authorization_details": "-"}})
	for _, p := range c.params(&Request{ClientID: "c", AuthorizationDetails: wanted, Resource: []string{"https://r"}}) {
		if p.json || p.name == "authorization_details" {
			t.Errorf("what is omitted left %+v", p)
		}
	}
}

func TestWhatWasGrantedOfThemIsKept(t *testing.T) {
	asking := Dialect{ResponsePaths: []string{DetailsMember}}
	for granted, want := range map[string]string{
		`[{"type":"payment","amount":12.50}]`: `[{"amount":12.50,"type":"payment"}]`,
		`"payment"`:                           "",
		`null`:                                "",
		`[{"type":"` + strings.Repeat("x", 17<<10) + `"}]`: "",
	} {
		body, err := json.Marshal(map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 60, "authorization_details": json.RawMessage(granted)})
		if err != nil {
			t.Fatal(err)
		}
		a := ask(t, asking, Request{URL: answering(t, 200, nil, string(body)), ClientID: "c", ClientSecret: "s"})
		if got := a.Response[DetailsMember]; a.Outcome != Granted || got != want {
			t.Errorf("%.60s: %q, %+v", granted, got, a.Remarks)
		}
		if len(granted) > 1000 && len(a.Remarks) != 1 {
			t.Errorf("nothing is said of what is not kept: %+v", a.Remarks)
		}
	}
}
