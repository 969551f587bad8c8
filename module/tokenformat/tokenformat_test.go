package tokenformat_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lamplighter/module/moduletest/skip"
	"lamplighter/module/tokenformat"
)

var ends = time.Date(2026, 11, 30, 18, 0, 0, 987_654_321, time.FixedZone("", 3600))

func bearer(token string) *tokenformat.Token {
	return &tokenformat.Token{
		AccessToken: token, ExpiresAt: ends,
		Header: []tokenformat.Field{{Name: "Authorization", Value: "Bearer " + token}, {Name: "X-Api-Key", Value: token}},
	}
}

func TestEachFormatIsWhatItsReadersExpect(t *testing.T) {
	for format, want := range map[string]struct{ with, without string }{
		"plain":  {"eyJ.a-b_c~d+e/f=", ""},
		"header": {"Authorization: Bearer eyJ.a-b_c~d+e/f=\nX-Api-Key: eyJ.a-b_c~d+e/f=\n", ""},
		"dotenv": {"ACCESS_TOKEN=eyJ.a-b_c~d+e/f=\nEXPIRES_AT=2026-11-30T17:00:00Z\n", ""},
		"envoy_sds": {
			`{"resources":[{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret","generic_secret":{"secret":{"inline_string":"Bearer eyJ.a-b_c~d+e/f="}},"name":"erp"}]}` + "\n",
			`{"resources":[{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret","generic_secret":{"secret":{"inline_string":""}},"name":"erp"}]}` + "\n",
		},
		"exec_credential": {
			`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"expirationTimestamp":"2026-11-30T17:00:00Z","token":"eyJ.a-b_c~d+e/f="}}` + "\n",
			`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"}` + "\n",
		},
	} {
		for _, c := range []struct {
			token *tokenformat.Token
			want  string
		}{{bearer("eyJ.a-b_c~d+e/f="), want.with}, {nil, want.without}} {
			if got, err := tokenformat.Named(format)("erp", c.token); string(got) != c.want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", format, got, err, c.want)
			}
		}
	}
	if n := len(tokenformat.Names()); n != 5 || tokenformat.Named("xml") != nil {
		t.Errorf("%d formats: %v", n, tokenformat.Names())
	}
}

// A line break in a token would be a second header field, or another variable.
func TestATokenOfTwoLinesIsInNoFormat(t *testing.T) {
	for _, odd := range []string{"a\nX-Evil: 1", "a\rb", "a\x00b", "a\x7f"} {
		for _, format := range tokenformat.Names() {
			if got, err := tokenformat.Named(format)("erp", bearer(odd)); err == nil {
				t.Errorf("%s of %q: %q", format, odd, got)
			}
		}
	}
}

func TestAShellReadsBackWhatDotenvHolds(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		skip.Missing(t, "%v", err)
	}
	for _, token := range []string{"abc", "it's", `a"b$(exit 1)c`, "a b", "`x`", `\`, "''", "é", "#x", "a;b", "~root"} {
		content, err := tokenformat.Named("dotenv")("erp", bearer(token))
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sh, "-c", string(content)+`printf %s "$ACCESS_TOKEN"`).CombinedOutput()
		if err != nil || string(out) != token {
			t.Errorf("%q: the shell has %q, %v", token, out, err)
		}
	}
}

func TestDocumentsHoldAnyTokenOfOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.String().Filter(func(s string) bool { return tokenformat.CheckLine(s) == nil }).Draw(t, "token")
		var credential struct{ Status struct{ Token string } }
		content, err := tokenformat.Named("exec_credential")("erp", bearer(token))
		if err != nil || json.Unmarshal(content, &credential) != nil || credential.Status.Token != token || strings.Count(string(content), "\n") != 1 {
			t.Errorf("%q: %s, %v", token, content, err)
		}
		var secrets struct {
			Resources []struct {
				Secret struct {
					Secret struct {
						Inline string `json:"inline_string"`
					}
				} `json:"generic_secret"`
			}
		}
		content, err = tokenformat.Named("envoy_sds")("erp", bearer(token))
		if err != nil || json.Unmarshal(content, &secrets) != nil || len(secrets.Resources) != 1 || secrets.Resources[0].Secret.Secret.Inline != "Bearer "+token {
			t.Errorf("%q: %s, %v", token, content, err)
		}
	})
}
