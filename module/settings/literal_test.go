package settings

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
	for _, warning := range c.Warnings() {
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
