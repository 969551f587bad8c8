package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
)

// socket is a unix socket with a mode.
func socket(t *testing.T, mode os.FileMode) net.Addr {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock") // whose path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if err := os.Chmod(listener.Addr().String(), mode); err != nil {
		t.Fatal(err)
	}
	return listener.Addr()
}

// askForToken asks for the token of the client erp over a connection to an address.
func askForToken(t *testing.T, over net.Addr, body string) (answer adminapi.Token, header http.Header, err error) {
	t.Helper()
	info, err := caddy.GetModule("admin.api.oauth2_client")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/oauth2_client/clients/erp/token", strings.NewReader(body))
	if over != nil {
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, over))
	}
	w := httptest.NewRecorder()
	if err := info.New().(caddy.AdminRouter).Routes()[0].Handler.ServeHTTP(w, r); err != nil {
		return answer, w.Header(), err
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return answer, w.Header(), nil
}

// refused checks that there is no token, and why.
func refused(t *testing.T, over net.Addr, body string, status int, words string) {
	t.Helper()
	answer, _, err := askForToken(t, over, body)
	apiErr, ok := errors.AsType[caddy.APIError](err)
	if !ok || apiErr.HTTPStatus != status || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "access-token-") || answer.AccessToken != "" {
		t.Errorf("%v, %q: %+v, %v, want %d, and %q", over, body, answer, err, status, words)
	}
}

func TestATokenIsHandedOutToWhoMayOpenThePrivateSocketAlone(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("allow_print", ""))
	answer, header, err := askForToken(t, socket(t, 0o600), "")
	if err != nil || answer.AccessToken != "access-token-1-abcdefghij" || answer.TokenType != "Bearer" || answer.ExpiresIn < 3500 || answer.ExpiresIn > 3600 ||
		header.Get("Cache-Control") != "no-store" || len(answer.Header) != 1 || answer.Header[0] != (adminapi.HeaderField{Name: "Authorization", Value: "Bearer access-token-1-abcdefghij"}) ||
		!strings.HasPrefix(answer.Generation, "1-") || strings.Contains(answer.Generation, "access") {
		t.Errorf("%+v, %v, %v", answer, header, err)
	}
	regular := filepath.Join(s.Dir, "secret")
	for words, over := range map[string]net.Addr{
		"unix socket alone":       &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2019},
		"(mode 0660)":             socket(t, 0o660),
		"(mode 0666)":             socket(t, 0o666),
		"(mode 0602)":             socket(t, 0o602),
		"nobody can tell who may": &net.UnixAddr{Name: "@abstract", Net: "unix"},
		"give it a path":          &net.UnixAddr{Name: "", Net: "unix"},
		"may open the admin":      &net.UnixAddr{Name: regular, Net: "unix"},
		"a path":                  &net.UnixAddr{Name: s.Dir + "/nothing", Net: "unix"},
		"over a unix socket":      nil,
	} {
		refused(t, over, "", 403, words)
	}
	link := filepath.Join(s.Dir, "link")
	if err := os.Symlink(socket(t, 0o600).String(), link); err != nil {
		t.Fatal(err)
	}
	refused(t, &net.UnixAddr{Name: link, Net: "unix"}, "", 403, "nobody can tell")
	refused(t, socket(t, 0o600), "{", 400, "body")
	s.Load(s.Config("", ""))
	refused(t, socket(t, 0o600), "", 403, "add 'allow_print'")

	log, err := os.ReadFile(s.Log)
	if err != nil || strings.Count(string(log), `"token handed out"`) != 1 || strings.Contains(string(log), "access-token-") {
		t.Errorf("the log, %v:\n%s", err, log)
	}
}

func TestATokenIsHandedOutForOriginsThatAllowNames(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("allow_print\nallow "+s.Allowed()+" https://git.example.com https://*.corp.example:8443", ""))
	over := socket(t, 0o600)
	for _, origin := range []string{"https://git.example.com", "https://git.example.com:443", "https://GIT.example.com", "https://a.corp.example:8443"} {
		if _, _, err := askForToken(t, over, `{"for":"`+origin+`"}`); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for origin, words := range map[string]string{
		"http://git.example.com": "allow http://git.example.com", "https://git.example.com:8443": "its token is not for", "https://evil.example": "its token is not for",
		"https://git.example.com.evil.example": "its token is not for", "https://a.corp.example": "its token is not for", "https://user@git.example.com": "not an origin",
		"https://git.example.com/path": "not an origin", "git.example.com": "not an origin", "://": "not an origin", "https://": "not an origin", "ssh://git.example.com": "not an origin",
	} {
		refused(t, over, `{"for":"`+origin+`"}`, 403, words)
	}
}

func TestATokenThatWasRejectedIsReplacedWithBounds(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Config("allow_print", ""))
	over := socket(t, 0o600)
	first, _, err := askForToken(t, over, "")
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := askForToken(t, over, `{"rejected":"`+first.AccessToken+`"}`)
	if err != nil || second.AccessToken != "access-token-2-abcdefghij" || second.ForcedIn != 0 {
		t.Fatalf("%+v, %v", second, err)
	}
	for _, old := range []string{first.AccessToken, first.Generation, "nobody's"} { // which forces nothing
		if again, _, err := askForToken(t, over, `{"rejected":"`+old+`"}`); err != nil || again.AccessToken != second.AccessToken || again.ForcedIn != 0 {
			t.Errorf("%s: %+v, %v", old, again, err)
		}
	}
	again, _, err := askForToken(t, over, `{"rejected":"`+second.Generation+`"}`)
	if err != nil || again.AccessToken != second.AccessToken || again.ForcedIn < 1 || again.ForcedIn > 30 {
		t.Errorf("what was obtained by force was forced again: %+v, %v", again, err)
	}
	if requests, spent, _ := s.AS.Count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, %d with spent refresh tokens", requests, spent)
	}
}

func TestWhereThereIsNoTokenTheReasonIsSaid(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "seed", "a-refresh-token-that-nobody-knows")
	s.Load(s.Config("allow_print\nwait 5s", ""))
	over := socket(t, 0o600)
	moduletest.Eventually(t, "the grant is lost", func() bool {
		var status adminapi.ClientStatus
		moduletest.Asked(t, "GET", "clients/erp", &status)
		return status.State == adminapi.StateGrantLost
	})
	_, header, err := askForToken(t, over, "")
	if apiErr, ok := errors.AsType[caddy.APIError](err); !ok || apiErr.HTTPStatus != 503 || !strings.Contains(err.Error(), "tokens login erp") || header.Get("Retry-After") == "" {
		t.Errorf("%v, %v", header, err)
	}
}
