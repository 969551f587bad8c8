package tokenformat

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestATokenIsPrintedInEachFormat(t *testing.T) {
	token := &Token{
		AccessToken: "eyJ.a~b=", TokenType: "Bearer", ExpiresIn: 90, Scope: "orders.read", ExpiresAt: time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC),
		Header: []Field{{Name: "Authorization", Value: "Bearer eyJ.a~b="}},
	}
	want := map[string]string{
		"token":           "eyJ.a~b=\n",
		"header":          "Authorization: Bearer eyJ.a~b=\n",
		"json":            `{"access_token":"eyJ.a~b=","token_type":"Bearer","expires_in":90,"scope":"orders.read"}` + "\n",
		"git":             "username=oauth2\npassword=eyJ.a~b=\npassword_expiry_utc=1796061600\n",
		"dotenv":          "ACCESS_TOKEN=eyJ.a~b=\nEXPIRES_AT=2026-11-30T18:00:00Z\n",
		"exec_credential": `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"expirationTimestamp":"2026-11-30T18:00:00Z","token":"eyJ.a~b="}}` + "\n",
		"envoy_sds":       `{"resources":[{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret","generic_secret":{"secret":{"inline_string":"Bearer eyJ.a~b="}},"name":"erp"}]}` + "\n",
	}
	for format, text := range want {
		if got, err := Print("erp", format, "", token); string(got) != text || err != nil {
			t.Errorf("%s: got %q, %v, want %q", format, got, err, text)
		}
	}
	if len(PrintNames()) != len(want) {
		t.Errorf("formats %v", PrintNames())
	}
	if got, err := Print("erp", "git", "x-access-token", token); err != nil || !strings.HasPrefix(string(got), "username=x-access-token\n") {
		t.Errorf("with git's own user: %q, %v", got, err)
	}
	token.Header = nil
	for _, format := range []string{"header", "envoy_sds"} {
		if got, err := Print("erp", format, "", token); err == nil {
			t.Errorf("%s of a token that goes into no header: %q", format, got)
		}
	}
	token.AccessToken = "a\nusername=evil"
	for _, format := range []string{"token", "git"} {
		if got, err := Print("erp", format, "", token); err == nil {
			t.Errorf("%s of a token of two lines: %q", format, got)
		}
	}
}

func TestKubectlGetsTheVersionThatItAsksFor(t *testing.T) {
	for info, want := range map[string]string{
		"": "v1", "no JSON": "v1", `{"apiVersion":"client.authentication.k8s.io/v1"}`: "v1", `{"apiVersion":"client.authentication.k8s.io/v1beta1"}`: "v1beta1",
		`{"apiVersion":"evil\nversion"}`: "v1",
	} {
		if got := execVersion(info); got != "client.authentication.k8s.io/"+want {
			t.Errorf("%s: %s", info, got)
		}
	}
}

func TestWhatGitSaysIsReadToItsEnd(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"protocol=https\nhost=git.example.com\n\nhost=evil.example\n": {"protocol": "https", "host": "git.example.com"},
		"capability[]=authtype\npassword=a=b=\n":                      {"capability[]": "authtype", "password": "a=b="},
		"":                                                            {},
		"wwwauth[]=Basic\nwwwauth[]=Bearer\n":                         {"wwwauth[]": "Bearer"},
		"no pair\nhost=x\n":                                           {},
	} {
		if got, err := ReadGit(strings.NewReader(text)); !reflect.DeepEqual(got, want) || err != nil {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	if got, _ := ReadGit(strings.NewReader("host=" + strings.Repeat("x", 1<<20))); len(got["host"]) > maxAsked {
		t.Errorf("%d bytes were taken", len(got["host"]))
	}
}

// TestGitIsNotSpokenForByAURL: a line break or a second line of one kind is none of git's.
func TestGitIsNotSpokenForByAURL(t *testing.T) {
	for _, text := range []string{
		"protocol=https\nhost=evil.example\nhost=git.example.com\n", "protocol=http\nprotocol=https\nhost=git.example.com\n", "path=a\npath=b\n",
		"username=a\nusername=b\n", "password=a\npassword=b\n", "host=git.example.com\rhost=evil.example\n", "host=git.example.com\x00\n",
	} {
		if got, err := ReadGit(strings.NewReader(text)); err == nil || got != nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
