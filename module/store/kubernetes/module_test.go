package kubernetes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"pgregory.net/rapid"

	"lamplighter/module/store"
)

func provisioned(s *Kubernetes) error { return s.Provision(caddy.Context{}) }

func TestWhatCannotWorkIsRefusedWithARemedy(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(noPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]*Kubernetes{
		"namespace":                     {Namespace: "Erp"},
		"prefix":                        {Prefix: "-a"},
		"100 at most":                   {Prefix: strings.Repeat("a", 101)},
		"it is create or named":         {Objects: "all"},
		"it is the URL":                 {API: "erp.example.com"},
		"it is no URL":                  {API: "https://[::1"},
		"write token_file":              {API: "https://user:password@10.0.0.1"},
		"allow_plaintext":               {API: "http://10.0.0.1"},
		"holds no certificate":          {CAFile: noPEM},
		"ca_file: the environment vari": {CAFile: "{env.LAMPLIGHTER_IS_NOT_SET}"},
	} {
		err := provisioned(s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", s, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "password@") {
			t.Errorf("a password is shown: %v", err)
		}
	}
}

func TestWithoutSettingsItIsThePodsOwnNamespace(t *testing.T) {
	var s Kubernetes
	if err := provisioned(&s); err != nil {
		t.Fatal(err)
	}
	account := t.TempDir()
	for name, content := range map[string]string{"namespace": "erp\n", "token": "token-of-the-pod\n"} {
		if err := os.WriteFile(filepath.Join(account, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.conf.account = account
	t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	e := newEngine(s.conf)
	defer e.Close()
	if got, want := e.Describe("client"), "Secret lamplighter-client in namespace erp of [fd00::1]:443"; got != want {
		t.Errorf("it is %s", got)
	}
	if bearer, err := e.api.token.get(); bearer != "token-of-the-pod" || err != nil {
		t.Errorf("%q, %v", bearer, err)
	}
	if got, want := s.conf.authorities(), filepath.Join(account, "ca.crt"); got != want {
		t.Errorf("%s signs", got)
	}
}

func TestOutsideAPodTheErrorSaysWhatToWrite(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	s := Kubernetes{Namespace: "erp"}
	if err := provisioned(&s); err != nil {
		t.Fatal(err) // it may be validated elsewhere
	}
	s.conf.account = t.TempDir()
	e, err := s.Engine()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "token_file") {
		t.Error(err)
	}
}

func TestATokenIsNotSentToAnAPIThatItIsNotFor(t *testing.T) {
	s := Kubernetes{API: "https://10.0.0.1:6443"}
	if err := provisioned(&s); err != nil {
		t.Fatal(err)
	}
	if bearer, err := newEngine(s.conf).api.token.get(); bearer != "" || err != nil {
		t.Errorf("%q, %v", bearer, err)
	}
}

func TestACaddyfileBecomesSettings(t *testing.T) {
	const text = `kubernetes {
		namespace erp
		prefix lamp-
		objects named
		api https://10.0.0.1:6443
		token_file /token
		ca_file /ca
		lease 20s
		allow_plaintext
	}`
	var s Kubernetes
	if err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		t.Fatal(err)
	}
	if s.Namespace != "erp" || s.Prefix != "lamp-" || s.Objects != "named" || s.API != "https://10.0.0.1:6443" ||
		s.TokenFile != "/token" || s.CAFile != "/ca" || time.Duration(s.Lease) != 20*time.Second || !s.AllowPlaintext {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"kubernetes erp", "kubernetes {\n namespace\n}", "kubernetes {\n namespace a b\n}", "kubernetes {\n password x\n}", "kubernetes {\n lease soon\n}"} {
		if err := new(Kubernetes).UnmarshalCaddyfile(caddyfile.NewTestDispenser(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestStoresOfOnePlaceHaveOneIdentity(t *testing.T) {
	identity := func(s Kubernetes) string {
		if err := provisioned(&s); err != nil {
			t.Fatal(err)
		}
		return s.Identity()
	}
	if identity(Kubernetes{}) != identity(Kubernetes{Prefix: "lamplighter-", Objects: "create", TokenFile: "/another"}) {
		t.Error("defaults make another place")
	}
	if identity(Kubernetes{}) == identity(Kubernetes{Prefix: "other-"}) || identity(Kubernetes{}) == identity(Kubernetes{Namespace: "erp"}) {
		t.Error("two places are one")
	}
}

func TestWhatHasToBeMadeIsPrinted(t *testing.T) {
	s := Kubernetes{Namespace: "erp", Objects: "named"}
	if err := provisioned(&s); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
			Rules    []struct{ ResourceNames, Verbs []string }
		}
	}
	if err := json.Unmarshal([]byte(s.Manifest([]string{"erp", "crm.eu"})), &list); err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, i := range list.Items {
		made = append(made, i.Kind+" "+i.Metadata.Namespace+"/"+i.Metadata.Name)
		for _, r := range i.Rules {
			if len(r.ResourceNames) < 2 || slices.Contains(r.Verbs, "create") {
				t.Errorf("it grants %+v", r)
			}
		}
	}
	want := []string{
		"Role erp/lamplighter", "Secret erp/lamplighter-claims.all",
		"Secret erp/lamplighter-crm-eu-c4575984", "Lease erp/lamplighter-crm-eu-c4575984", "Secret erp/lamplighter-erp", "Lease erp/lamplighter-erp",
	}
	if !slices.Equal(made, want) {
		t.Errorf("made are %q", made)
	}
}

// TestEveryNameIsOneOfKubernetes: and two names are two objects, but for a hash that is
// the same by chance, or by a client that is named like one.
func TestEveryNameIsOneOfKubernetes(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	name := rapid.OneOf(rapid.StringMatching(`[a-z0-9][a-z0-9_.-]{0,62}`), rapid.Map(rapid.StringMatching(`[0-9a-f]{2}`), store.ClaimsName))
	rapid.Check(t, func(t *rapid.T) {
		c := config{prefix: rapid.SampledFrom([]string{"lamplighter-", "a.", "x"}).Draw(t, "prefix")}
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		object := c.object(a)
		if !valid.MatchString(object) || len(object) > 253 {
			t.Fatalf("%q is kept as %q", a, object)
		}
		if a != b && object == c.object(b) {
			t.Fatalf("%q and %q are both kept as %q", a, b, object)
		}
		if object == c.own() {
			t.Fatalf("%q is kept as what the store keeps for itself", a)
		}
	})
}
