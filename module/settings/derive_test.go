package settings

import (
	"slices"
	"testing"
)

func TestAClientIsGivenAGrantInTheWaysThatItsSettingsName(t *testing.T) {
	for _, c := range []struct {
		settings Client
		want     []string
	}{
		{Client{GrantType: "refresh_token"}, []string{"import"}},
		{Client{GrantType: "refresh_token", AuthorizationEndpoint: "https://a"}, []string{"import", "login"}},
		{Client{GrantType: "refresh_token", DeviceAuthorizationEndpoint: "https://a"}, []string{"import", "device"}},
		{Client{GrantType: "refresh_token", Issuer: "https://a"}, []string{"import", "login", "device"}},
		{Client{GrantType: "refresh_token", Issuer: "https://a", Rotation: "ignore"}, nil},
		{Client{GrantType: "client_credentials", Issuer: "https://a"}, nil},
	} {
		if got := c.settings.NewGrantBy(); !slices.Equal(got, c.want) || c.settings.LogsIn() != (len(c.want) > 1) {
			t.Errorf("%+v: %v, log-in %v, want %v", c.settings, got, c.settings.LogsIn(), c.want)
		}
	}
}
