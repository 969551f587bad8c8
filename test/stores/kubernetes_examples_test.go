package stores

import (
	"errors"
	"testing"

	"lamplighter/module/store"
	"lamplighter/test/internal/manifest"
)

// examples: the API server takes the manifests that we show, again and again, and what
// they grant is enough for the client that is in them, and for no other.
func (c *cluster) examples(t *testing.T) {
	for name, example := range map[string]struct {
		render  func(testing.TB, string, string) []manifest.Object
		account string
	}{
		"kubernetes":         {manifest.Component, "default"},
		"kubernetes-service": {manifest.Service, "lamplighter"},
		"kubernetes-volume":  {manifest.Component, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ns := c.namespace(t, "")
			apply := func() {
				for _, o := range example.render(t, name, ns) {
					c.Apply(t, ns, string(o.Text))
				}
			}
			apply()
			if example.account == "" {
				return
			}
			e := allowed(t, c.engineAs(t, ns, c.Account(t, ns, example.account), "objects named"))
			if err := use(t.Context(), e, "erp"); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Put(t.Context(), "crm", []byte("x"), ""); !errors.Is(err, store.ErrRefused) {
				t.Errorf("a client that is not in it: %v", err)
			}
			before, err := e.Get(t.Context(), "erp")
			if err != nil {
				t.Fatal(err)
			}
			apply() // as an update does
			if after, err := e.Get(t.Context(), "erp"); err != nil || string(after.Data) != string(before.Data) {
				t.Errorf("applied again, the record is %q: %v", after.Data, err)
			}
		})
	}
}
