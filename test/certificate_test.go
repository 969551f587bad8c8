package test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestACertificateAuthenticatesTheClientAndBindsItsTokens uses tls_client_auth at
// the token endpoint, and shows the same certificate to the upstream (RFC 8705
// sections 2 and 3), unless that is switched off.
func TestACertificateAuthenticatesTheClientAndBindsItsTokens(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	serverCert, serverKey := authority.issue(t, "localhost")
	pair, err := tls.X509KeyPair([]byte(serverCert), []byte(serverKey))
	if err != nil {
		t.Fatal(err)
	}
	serve := func(mode tls.ClientAuthType, handler http.HandlerFunc) string {
		s := httptest.NewUnstartedServer(handler)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: mode, ClientCAs: authority.pool}
		s.StartTLS()
		t.Cleanup(s.Close)
		return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	}
	asked := make(chan string, 10)
	endpoint := serve(tls.RequireAndVerifyClientCert, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- r.TLS.PeerCertificates[0].Subject.CommonName + " as " + r.PostForm.Get("client_id")
		fmt.Fprint(w, `{"access_token":"bound","token_type":"Bearer","expires_in":3600}`)
	})
	api := serve(tls.VerifyClientCertIfGiven, func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprintf(w, "%s with %s", who, r.Header.Get("Authorization"))
	})

	for setting, want := range map[string]string{"": "sidecar with Bearer bound", "upstream_certificate off": "nobody with Bearer bound"} {
		dir, address := rig.Home(t), rig.FreeAddress(t)
		cert, key := authority.issue(t, "sidecar")
		rig.Write(t, dir, "ca.pem", authority.pem)
		rig.Write(t, dir, "client.pem", cert)
		rig.Write(t, dir, "client.key", key)
		_, port, _ := strings.Cut(address, ":")
		rig.Write(t, dir, "Caddyfile", fmt.Sprintf(`{
	grace_period 5s
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client erp {
			token_endpoint %s/token
			token_endpoint_auth_method tls_client_auth
			client_id erp
			certificate {file.%s/client.pem}
			private_key {file.%s/client.key}
			tls {
				trust_pool file ca.pem
			}
			%s
		}
		audit
		transport http {
			tls_trust_pool file ca.pem
		}
	}
}
`, port, api, endpoint, dir, dir, setting))
		s := rig.RunSidecar(t, dir, address)
		if got := rig.Get(t, s.Address, "/orders?secret=1"); got.Status != 200 || got.Body != want {
			t.Errorf("%q: got %s, want %s", setting, got, want)
		}
		if got := <-asked; got != "sidecar as erp" {
			t.Errorf("the token endpoint was asked by %s", got)
		}
		rig.Eventually(t, "the audit line", func() bool {
			for line := range strings.Lines(s.Output.String()) {
				if strings.Contains(line, `.oauth2.audit"`) || strings.Contains(line, "oauth2.audit\t") {
					return strings.Contains(line, `"caller":"127.0.0.1"`) && strings.Contains(line, `"client":"erp"`) && strings.Contains(line, `"generation":1`) &&
						strings.Contains(line, `"status":200`) && !strings.Contains(line, "secret") && !strings.Contains(line, "bound")
				}
			}
			return false
		})
	}
}
