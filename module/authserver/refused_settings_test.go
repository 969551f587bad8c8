package authserver

import (
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/internal/keyfiles"
	"lamplighter/module/settings"
)

// TestSettingsThatNoTokenRequestCanBeMadeOfAreRefused changes one thing about
// settings that work, with keys and certificates that can be read.
func TestSettingsThatNoTokenRequestCanBeMadeOfAreRefused(t *testing.T) {
	dir := keyfiles.Write(t)
	file := func(name string) string { return "{file." + filepath.Join(dir, name) + "}" }
	t.Setenv("AN_ISSUER", "https://as.example.com")
	good := map[string]func(*settings.Client){
		"secret": func(c *settings.Client) { c.ClientSecret = "hunter2hunter2hunter2hunter2hunter2" },
		"secret jwt": func(c *settings.Client) {
			c.TokenEndpointAuthMethod, c.ClientSecret = "client_secret_jwt", strings.Repeat("hunter2", 5)
		},
		"key": func(c *settings.Client) {
			c.TokenEndpointAuthMethod, c.PrivateKey = "private_key_jwt", file("mine.key")
		},
		"key and certificate": func(c *settings.Client) {
			c.TokenEndpointAuthMethod, c.PrivateKey, c.Certificate = "private_key_jwt", file("mine.key"), file("mine.crt")
		},
		"jwk with alg": func(c *settings.Client) {
			c.TokenEndpointAuthMethod, c.PrivateKey, c.SigningAlg = "private_key_jwt", file("mine.jwk"), "ES256"
		},
		"tls": func(c *settings.Client) {
			c.TokenEndpointAuthMethod, c.PrivateKey, c.Certificate = "tls_client_auth", file("mine.key"), file("mine.crt")
		},
		"jwt_bearer": func(c *settings.Client) { c.GrantType, c.PrivateKey = "jwt_bearer", file("mine.key") },
		"exchange": func(c *settings.Client) {
			c.GrantType, c.ClientSecret, c.SubjectToken = "token_exchange", "hunter2", "{file."+filepath.Join(dir, "mine.jwk")+"}"
		},
		"issuer": func(c *settings.Client) {
			c.TokenEndpoint, c.Issuer, c.ClientSecret = "", "https://as.example.com/tenant/", "hunter2"
		},
	}
	settingsOf := func(kind string) *settings.Client {
		c := &settings.Client{TokenEndpoint: "https://as.example.com/token", ClientID: "app"}
		good[kind](c)
		return c
	}
	for kind := range good {
		if _, err := tryToMake(t, settingsOf(kind)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for name, test := range map[string]struct {
		kind string
		edit func(*settings.Client)
		want []string
	}{
		"key of another type":        {"key", func(c *settings.Client) { c.SigningAlg = "RS256" }, []string{"signing_alg RS256", "ES256"}},
		"no key in the file":         {"key", func(c *settings.Client) { c.PrivateKey = file("mine.crt") }, []string{"private_key", "neither PEM"}},
		"no file":                    {"key", func(c *settings.Client) { c.PrivateKey = file("nobody") }, []string{"private_key", "nobody"}},
		"jwk of another alg":         {"key", func(c *settings.Client) { c.PrivateKey = file("mine.jwk") }, []string{"private_key", "ECDH-ES", "ES256"}},
		"key without its method":     {"secret", func(c *settings.Client) { c.ClientSecret, c.PrivateKey = "", file("mine.key") }, []string{"token_endpoint_auth_method private_key_jwt"}},
		"no certificate in it":       {"key and certificate", func(c *settings.Client) { c.Certificate = file("mine.key") }, []string{"certificate", "no PEM certificate"}},
		"certificate of another key": {"key and certificate", func(c *settings.Client) { c.Certificate = file("other.crt") }, []string{"certificate", "private_key", "belong"}},
		"certificate without use":    {"secret", func(c *settings.Client) { c.Certificate = file("mine.crt") }, []string{"certificate is of no use"}},
		"short secret":               {"secret jwt", func(c *settings.Client) { c.ClientSecret = "hunter2" }, []string{"client_secret is too short", "32 bytes"}},
		"short second secret":        {"secret jwt", func(c *settings.Client) { c.ClientSecretNext = "hunter2" }, []string{"client_secret_next", "too short", "32 bytes"}},
		"tls of another key":         {"tls", func(c *settings.Client) { c.Certificate = file("other.crt") }, []string{"certificate", "private_key", "belong"}},
		"tls without tls":            {"tls", func(c *settings.Client) { c.TokenEndpoint = "http://127.0.0.1/token" }, []string{"tls_client_auth", "https"}},
		"bearer with both":           {"jwt_bearer", func(c *settings.Client) { c.Assertion = "a.b.c" }, []string{"private_key is of no use"}},
		"a type without actor":       {"exchange", func(c *settings.Client) { c.ActorTokenType = "x" }, []string{"actor_token_type is of no use"}},
		"an actor for another grant": {"secret", func(c *settings.Client) { c.ActorToken, c.ActorTokenType = "x", "y" }, []string{"actor_token is of no use", "client_credentials"}},
		"a subject type without one": {"secret", func(c *settings.Client) { c.SubjectTokenType = "x" }, []string{"subject_token_type is of no use", "client_credentials"}},
		"a type for another grant":   {"secret", func(c *settings.Client) { c.RequestedTokenType = "x" }, []string{"requested_token_type is of no use", "client_credentials"}},
		"issuer and the preset's":    {"issuer", func(c *settings.Client) { c.Provider = "amazon_sp" }, []string{"remove issuer", "provider amazon_sp"}},
		"an issuer from elsewhere":   {"issuer", func(c *settings.Client) { c.Issuer = "{env.AN_ISSUER}" }, []string{"issuer", "placeholder"}},
		"an issuer with a query":     {"issuer", func(c *settings.Client) { c.Issuer += "?a=b" }, []string{"issuer", "query"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := settingsOf(test.kind)
			test.edit(c)
			_, err := tryToMake(t, c)
			if err == nil {
				t.Fatal("it is accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it quotes a secret: %v", err)
			}
		})
	}
}
