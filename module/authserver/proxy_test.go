package authserver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/discovery"
	"lamplighter/module/settings"
)

// Fault A11.
func TestAProxyThatAFileNoLongerYieldsIsToldForWhatItIs(t *testing.T) {
	writes := func(content string) func(path string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
	}
	for name, test := range map[string]struct {
		change func(path string) error
		cause  string
		says   []string
	}{
		"the file has gone":           {os.Remove, "unresolved_setting", []string{"proxy.url"}},
		"the file is empty":           {writes(""), "unresolved_setting", []string{"proxy.url is empty"}},
		"a proxy that nobody allowed": {writes("http://user:hush-hush@proxy.internal:3128"), "token_destination_denied", []string{"'allow http://proxy.internal:3128'"}},
		"no URL":                      {writes("hush-hush"), "proxy_invalid", nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "proxy.url")
			if err := writes("http://user:hush-hush@proxy.example:3128")(path); err != nil {
				t.Fatal(err)
			}
			c := &settings.Client{Proxy: "{file." + path + "}", Allow: []string{"http://proxy.example:3128"}}
			endpoint := "http://as.example/token"
			if proxy, err := permittedProxy(c, httptest.NewRequest("POST", endpoint, nil)); err != nil || proxy == nil {
				t.Fatal(proxy, err)
			}
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}

			_, err := discovery.Discover(t.Context(), endpoint, asking.Connection{Proxy: func(req *http.Request) (*url.URL, error) { return permittedProxy(c, req) }})
			got, ok := errors.AsType[*discovery.Undiscovered](err)
			if !ok || got.Cause != test.cause || got.Passes {
				t.Fatalf("got %#v, want %s", err, test.cause)
			}
			told := got.Detail + " " + got.Remedy
			for _, words := range test.says {
				if !strings.Contains(told, words) {
					t.Errorf("does not say %q: %s", words, told)
				}
			}
			if strings.Contains(told, "hush") {
				t.Errorf("says the password: %s", told)
			}
		})
	}
}
