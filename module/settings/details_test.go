package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

func TestAuthorizationDetailsAreAnArrayOfObjectsWithATypeAndAreNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "details.json")
	if err := os.WriteFile(path, []byte("[\n  {\"type\": \"t\"}\n]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/nobody")
	for text, want := range map[string]string{
		`[{"type":"payment","note":"{env.HOME} {file./etc/passwd}"}]`: `[{"type":"payment","note":"{env.HOME} {file./etc/passwd}"}]`,
		`[ {"type": "a"}, {"type": "b"} ]`:                            `[{"type":"a"},{"type":"b"}]`,
		`"{file.` + path + `}"`:                                       `[{"type":"t"}]`,
		`"{file./nobody/details}"`:                                    "error: no such file",
		`"{file.` + path + `} and more"`:                              "error: one {file./path/to/it}",
		`"payment"`:                                                   "error: JSON array",
		`{"type":"payment"}`:                                          "error: no JSON array of objects",
		`["payment"]`:                                                 "error: no JSON array of objects",
		`null`:                                                        "error: JSON array of objects",
		`[]`:                                                          "error: empty array",
		`[{"type":"a"},{"kind":"b"}]`:                                 "error: object 2 has no type",
		`[{"type":7}]`:                                                "error: object 1 has no type",
	} {
		c := &settings.Client{
			TokenEndpoint: "https://as.example.com/token", ClientID: "c", ClientSecret: "s", AuthorizationDetails: []byte(text),
		}
		err := c.Check()
		got := ""
		if err == nil {
			r := new(placeholder.Resolver)
			got, err = c.Details(r), r.Err
		}
		if fault, fails := strings.CutPrefix(want, "error: "); fails {
			if err == nil || !strings.HasPrefix(err.Error(), "authorization_details") || !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: %q, %v, want %q", text, got, err, fault)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}
