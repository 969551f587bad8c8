package authserver

import (
	"testing"

	"lamplighter/module/internal/tokenendpoint/discovery"
	"lamplighter/module/settings"
)

func TestClientsWithACertificateAskTheEndpointsForThem(t *testing.T) {
	aliases := discovery.Metadata{
		TokenEndpoint: "https://mtls/token", DeviceAuthorizationEndpoint: "https://mtls/device",
		RevocationEndpoint: "https://mtls/revoke", PushedAuthorizationRequestEndpoint: "https://mtls/par",
	}
	m := discovery.Metadata{
		TokenEndpoint: "https://as/token", AuthorizationEndpoint: "https://as/authorize", DeviceAuthorizationEndpoint: "https://as/device",
		RevocationEndpoint: "https://as/revoke", PushedAuthorizationRequestEndpoint: "https://as/par", MTLSEndpointAliases: &aliases,
	}.ForMutualTLS()
	if m.TokenEndpoint != aliases.TokenEndpoint || m.DeviceAuthorizationEndpoint != aliases.DeviceAuthorizationEndpoint ||
		m.RevocationEndpoint != aliases.RevocationEndpoint || m.PushedAuthorizationRequestEndpoint != aliases.PushedAuthorizationRequestEndpoint {
		t.Errorf("%+v", m)
	}
	if m.AuthorizationEndpoint != "https://as/authorize" {
		t.Errorf("the browser goes to %s", m.AuthorizationEndpoint)
	}
}

func TestWhichTokensAreBoundToACertificate(t *testing.T) {
	bound := "e30.eyJjbmYiOnsieDV0I1MyNTYiOiJ4In19.c2ln"
	c := made(t, &settings.Client{TokenEndpoint: "https://as.example.com/token", ClientID: "app", ClientSecret: "secret"})
	if c.Binds(bound, nil) {
		t.Error("a client without a certificate has bound tokens")
	}
}
