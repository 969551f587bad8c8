package module

import (
	"slices"
	"strings"
	"testing"
)

func TestEverySecretThatIsPartOfTheConfigurationIsWarnedAbout(t *testing.T) {
	c := &Client{
		TokenEndpoint: "https://login.example.com/token?tenant=acme&api_key=s3cret",
		ClientID:      "erp", ClientSecret: "s3cret", RefreshToken: "s3cret", Password: "s3cret", Username: "erp",
		Param:  map[string][]string{"tenant": {"acme"}, "app_secret": {"s3cret"}, "pin_code": {"{env.PIN}"}},
		Proxy:  "http://sidecar:s3cret@proxy.internal:3128",
		Header: map[string][]string{"X-Api-Key": {"s3cret"}, "X-Tenant": {"acme"}, "Authorization": {"Basic {file./secret}"}},
	}
	var warned []string
	for _, warning := range c.literalSecrets() {
		setting, remedy, _ := strings.Cut(warning, " is a literal value")
		if strings.Contains(warning, "s3cret") || !strings.Contains(remedy, "{file.") {
			t.Errorf("warning %q", warning)
		}
		warned = append(warned, setting)
	}
	slices.Sort(warned)
	want := []string{"client_secret", "header X-Api-Key", "param app_secret", "password", "refresh_token", "the password of proxy", "the query of token_endpoint api_key"}
	if !slices.Equal(warned, want) {
		t.Errorf("warned about %q, want %q", warned, want)
	}
}

func TestOnlyAPasswordThatIsInTheURLIsALiteral(t *testing.T) {
	for place, want := range map[string]bool{
		"": false, "none": false, "http://proxy:3128": false, "http://sidecar@proxy": false, "http://sidecar:{env.PW}@proxy": false, "{file./proxy}": false,
		"http://{env.USER}:s3cret@proxy": true, "socks5://a:b@c:1080": true, "http://a:b@c@proxy": true,
	} {
		if got := hasLiteralPassword(place); got != want {
			t.Errorf("%s: %v", place, got)
		}
	}
}
