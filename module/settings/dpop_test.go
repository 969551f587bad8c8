package settings

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"lamplighter/module/inject"
	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/keeper"
)

func provingWith(list ...inject.Injection) *Client {
	return &Client{
		TokenEndpoint: "https://login.example.com/token", ClientID: "app", ClientSecret: "literal", DPoP: new(DPoP), Inject: list,
	}
}

// RFC 9449 section 7.1.
func TestATokenThatIsBoundToAKeyGoesWhereItsProofBelongsToItAndNowhereElse(t *testing.T) {
	type places []inject.Injection
	const authorization = "Authorization"
	for want, lists := range map[string][]places{
		"": {
			nil,
			{{Name: authorization, Value: "DPoP {access_token}"}},
			{{In: "header", Name: "authorization", Value: "dpop {access_token}"}},
			{{Name: authorization, Value: "DPoP {access_token}"}, {Name: "X-Org", Value: "{response.org}"}, {In: "query", Name: "org", Value: "{response.org}"}},
			{{Name: "X-Identity", Value: "{id_token}"}, {Name: authorization, Value: "DPoP {access_token}"}},
		},
		`write inject header Authorization "DPoP {access_token}", or remove dpop`: {
			{{Name: authorization, Value: "Bearer {access_token}"}},
			{{Name: authorization}},
			{{Name: "authorization", Value: "Token token={access_token}"}},
			{{Name: authorization, Value: "DPoP {response.access_token}"}},
			{{Name: "X-Org", Value: "{response.org}"}, {In: "header", Name: authorization, Value: "bearer {access_token}"}},
		},
		"elsewhere than into the header Authorization (RFC 9449 section 7.1): remove that line, or dpop": {
			{{Name: "X-Token"}},
			{{In: "query", Name: "access_token"}},
			{{In: "cookie", Name: "session", Value: "{access_token}"}},
			{{Name: authorization, Value: "DPoP {access_token}"}, {Name: "X-Token", Value: "{response.access_token}"}},
		},
		`add inject header Authorization "DPoP {access_token}", or remove dpop`: {
			{{Name: authorization, Value: "Bearer {id_token}"}},
			{{Name: "X-Org", Value: "{response.org}"}},
		},
	} {
		for _, list := range lists {
			err := provingWith(list...).Check()
			if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", list, err, want)
			}
			without := provingWith(list...)
			without.DPoP = nil
			if err := without.Check(); err != nil {
				t.Errorf("%+v without dpop: %v", list, err)
			}
		}
	}
}

func TestTheTokenOfAnAnswerHasAnotherNameToo(t *testing.T) {
	c := provingWith(inject.Injection{Name: "Authorization", Value: "DPoP {access_token}"}, inject.Injection{Name: "X-Token", Value: "{response.data.token}"})
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	c.AccessTokenPath = "token|data.token"
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "inject header X-Token") {
		t.Errorf("%v", err)
	}
}

// A record may hold a token of before, and 'bearer allow' has others sent that are bound to nothing.
func TestTheHeaderSaysOfEachTokenWhetherItIsBound(t *testing.T) {
	effective, err := provingWith(inject.Injection{Name: "Authorization", Value: "DPoP {access_token}"}, inject.Injection{Name: "X-Org", Value: "{response.org}"}).Effective()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := effective.Compile()
	if err != nil {
		t.Fatal(err)
	}
	key, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	in := &inject.Injector{Injections: compiled.Injections}
	for want, bound := range map[string]*dpop.Key{"DPoP a-token": key, "Bearer a-token": nil} {
		token := &keeper.Token{AccessToken: "a-token", Response: map[string]string{"org": "acme"}, Key: bound}
		out := in.Into(&http.Request{URL: new(url.URL)}, token)
		if got := out.Header.Get("Authorization"); got != want || out.Header.Get("X-Org") != "acme" {
			t.Errorf("%v, want %s", out.Header, want)
		}
	}
}
