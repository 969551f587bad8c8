package stores

import (
	"errors"
	"testing"

	"lamplighter/module/store"
	"lamplighter/test/internal/manifest"
)

// chart: the API server takes what Helm renders, on a volume and for replicas, and what it
// grants is enough for the client that it names, and for no other.
func (c *cluster) chart(t *testing.T) {
	const onAVolume = `
caddyfile: "http://:8080"
secrets: [{file: client_secret, secret: erp-eiam, key: client_secret}]
networkPolicy: {enabled: true, from: [{podSelector: {}}]}
metrics: {enabled: true}
`
	ns := c.namespace(t, "")
	c.Apply(t, ns, manifest.Chart(t, onAVolume, ns))

	c.Apply(t, ns, manifest.Chart(t, `
caddyfile: |
  {
  	oauth2_store kubernetes {
  		objects named
  	}
  }
replicas: 3
store: {kind: kubernetes, clients: [erp]}
`, ns))
	e := allowed(t, c.engineAs(t, ns, c.Account(t, ns, "erp-lamplighter"), "objects named"))
	if err := use(t.Context(), e, "erp"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Put(t.Context(), "crm", []byte("x"), ""); !errors.Is(err, store.ErrRefused) {
		t.Errorf("a client that is not in it: %v", err)
	}
}
