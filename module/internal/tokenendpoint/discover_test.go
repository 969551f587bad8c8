package tokenendpoint

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// issuing is a server of metadata documents. It notes which paths were asked for.
func issuing(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, url string)) (url string, asked func() []string) {
	t.Helper()
	paths := make(chan string, 10)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.EscapedPath()
		answer(w, r, server.URL)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (list []string) {
		for len(paths) > 0 {
			list = append(list, <-paths)
		}
		return list
	}
}

func TestMetadataIsFoundWhereverItsStandardPutsIt(t *testing.T) {
	for name, test := range map[string]struct {
		issuer, at string // behind the server's URL
		asked      []string
	}{
		"without a path":          {"", "/.well-known/oauth-authorization-server", []string{"/.well-known/oauth-authorization-server"}},
		"its path is inserted":    {"/a/b", "/.well-known/oauth-authorization-server/a/b", []string{"/.well-known/oauth-authorization-server/a/b"}},
		"with a slash at its end": {"/a/", "/.well-known/oauth-authorization-server/a", []string{"/.well-known/oauth-authorization-server/a"}},
		"OpenID Connect appends":  {"/a/b", "/a/b/.well-known/openid-configuration", []string{"/.well-known/oauth-authorization-server/a/b", "/a/b/.well-known/openid-configuration"}},
		"escaped":                 {"/a%20b", "/.well-known/oauth-authorization-server/a%20b", []string{"/.well-known/oauth-authorization-server/a%20b"}},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := issuing(t, func(w http.ResponseWriter, r *http.Request, url string) {
				if r.URL.EscapedPath() != test.at {
					http.NotFound(w, r)
					return
				}
				fmt.Fprintf(w, `{"issuer":"%s%s","token_endpoint":"https://as.example.com/token","revocation_endpoint":"https://as.example.com/revoke"}`, url, test.issuer)
			})
			m, err := Discover(t.Context(), url+test.issuer, Connection{})
			if err != nil || m.TokenEndpoint != "https://as.example.com/token" || m.RevocationEndpoint != "https://as.example.com/revoke" {
				t.Errorf("%+v, %v", m, err)
			}
			if got := asked(); !slices.Equal(got, test.asked) {
				t.Errorf("asked for %v, want %v", got, test.asked)
			}
		})
	}
}

func TestMetadataThatCannotBeBelievedIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, url string)
		want   string
	}{
		"of another issuer": {func(w http.ResponseWriter, _ *http.Request, _ string) {
			fmt.Fprint(w, `{"issuer":"https://evil.example.com","token_endpoint":"https://evil.example.com/token"}`)
		}, `names the issuer "https://evil.example.com"`},
		"of the issuer but for a slash": {func(w http.ResponseWriter, _ *http.Request, url string) {
			fmt.Fprintf(w, `{"issuer":"%s/","token_endpoint":"https://as.example.com/token"}`, url)
		}, `/"`},
		"without an endpoint": {func(w http.ResponseWriter, _ *http.Request, url string) {
			fmt.Fprintf(w, `{"issuer":"%s"}`, url)
		}, "names no token_endpoint"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request, url string) {
			if strings.HasPrefix(r.URL.Path, "/.well-known") {
				http.Redirect(w, r, strings.Replace(url, "127.0.0.1", "localhost", 1)+"/moved", http.StatusFound)
				return
			}
			fmt.Fprintf(w, `{"issuer":"%s","token_endpoint":"https://as.example.com/token"}`, url)
		}, "answered 302"},
		"too long": {func(w http.ResponseWriter, _ *http.Request, url string) {
			fmt.Fprintf(w, `{"issuer":"%s","token_endpoint":"https://as.example.com/token","x":"%s"}`, url, strings.Repeat("x", maxBody))
		}, "longer than 4 MiB"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, "<html>") }, "is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := issuing(t, test.answer)
			m, err := Discover(t.Context(), url, Connection{})
			if err == nil || m.TokenEndpoint != "" || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), url) {
				t.Errorf("%+v, %v; want it to say %q", m, err, test.want)
			}
			if slices.Contains(asked(), "/moved") {
				t.Error("a redirect was followed")
			}
		})
	}
}

// What the error says goes into the log and into answers to callers.
func TestALongWordOfMetadataIsNotQuotedForEver(t *testing.T) {
	url, _ := issuing(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		fmt.Fprintf(w, `{"issuer":"\u001b[31m%s"}`, strings.Repeat("X", 500_000))
	})
	_, err := Discover(t.Context(), url, Connection{})
	if err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%d characters", len(fmt.Sprint(err)))
	}
}

func TestAnIssuerThatDoesNotAnswerCostsOneTimeout(t *testing.T) {
	url, asked := issuing(t, func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Discover(ctx, url, Connection{})
	if err == nil || strings.Count(err.Error(), "the timeout is over") != 1 || len(asked()) != 1 {
		t.Error(err)
	}
}
