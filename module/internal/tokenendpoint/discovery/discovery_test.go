package discovery

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
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
			m, err := Discover(t.Context(), url+test.issuer, asking.Connection{})
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
			fmt.Fprintf(w, `{"issuer":"%s","token_endpoint":"https://as.example.com/token","x":"%s"}`, url, strings.Repeat("x", 4<<20))
		}, "longer than 4 MiB"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, "<html>") }, "is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := issuing(t, test.answer)
			m, err := Discover(t.Context(), url, asking.Connection{})
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
	_, err := Discover(t.Context(), url, asking.Connection{})
	if err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%d characters", len(fmt.Sprint(err)))
	}
}

func TestAnIssuerThatDoesNotAnswerCostsOneTimeout(t *testing.T) {
	url, asked := issuing(t, func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // for the request to get there
	defer cancel()
	_, err := Discover(ctx, url, asking.Connection{})
	if err == nil || strings.Count(err.Error(), "the timeout is over") != 1 || len(asked()) != 1 {
		t.Error(err)
	}
}

// Fault E13. The request holds no secret, but who answers must stay the same.
func TestRedirectsOfMetadataAreFollowedWithinTheirOriginAlone(t *testing.T) {
	for name, test := range map[string]struct {
		to    func(url string, r *http.Request) string
		cause string // "" if it is found
	}{
		"a slash more":    {func(_ string, r *http.Request) string { return r.URL.Path + "/" }, ""},
		"another path":    {func(string, *http.Request) string { return "/metadata/" }, ""},
		"an absolute URL": {func(url string, _ *http.Request) string { return url + "/metadata/" }, ""},
		"upper case": {func(url string, _ *http.Request) string {
			return strings.Replace(url, "http:", "HTTP:", 1) + "/metadata/"
		}, ""},
		"two steps": {func(_ string, r *http.Request) string {
			return map[bool]string{true: "/b", false: "/metadata/"}[r.URL.Path != "/b"]
		}, ""},
		"around in a circle": {func(_ string, r *http.Request) string { return r.URL.Path + "x" }, "metadata_redirect"},
		"another name": {func(url string, _ *http.Request) string {
			return strings.Replace(url, "127.0.0.1", "localhost", 1) + "/metadata/"
		}, "metadata_redirect"},
		"another port": {func(string, *http.Request) string { return "http://127.0.0.1:1/metadata/" }, "metadata_redirect"},
		"another scheme": {func(url string, _ *http.Request) string {
			return strings.Replace(url, "http:", "https:", 1) + "/metadata/"
		}, "metadata_redirect"},
		"with a user": {func(url string, _ *http.Request) string {
			return strings.Replace(url, "//", "//user:pw@", 1) + "/metadata/"
		}, "metadata_redirect"},
		"no host": {func(string, *http.Request) string { return "http:///metadata/" }, "metadata_redirect"},
		"nowhere": {func(string, *http.Request) string { return "" }, "metadata_redirect"},
		"no URL":  {func(string, *http.Request) string { return "http://[\u202e" }, "metadata_redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := issuing(t, func(w http.ResponseWriter, r *http.Request, url string) {
				if strings.HasSuffix(r.URL.Path, "/") {
					fmt.Fprintf(w, `{"issuer":"%s","token_endpoint":"https://as.example.com/token"}`, url)
					return
				}
				w.Header().Set("Location", test.to(url, r))
				w.WriteHeader(http.StatusMovedPermanently)
			})
			_, err := Discover(t.Context(), url, asking.Connection{})
			none, _ := errors.AsType[*Undiscovered](err)
			if test.cause == "" && err != nil || test.cause != "" && (none == nil || none.Cause != test.cause || strings.Contains(err.Error(), "\u202e") || strings.Contains(err.Error(), "pw")) {
				t.Error(err)
			}
			if n := len(asked()); n > 2*(maxRedirects+1) {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// Fault A9, and what is told of a place that has no metadata.
func TestWhatAnIssuerAnswersIsToldApart(t *testing.T) {
	zip := func(s string) string {
		var b strings.Builder
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
		return b.String()
	}
	const good = `{"issuer":"%s","token_endpoint":"https://as.example.com/token","token_endpoint_auth_methods_supported":"none"}`
	for name, test := range map[string]struct {
		status int
		body   string
		cause  string // "" if it is believed
		passes bool
	}{
		"gzip":            {200, good, "", false},
		"a BOM":           {200, "\ufeff" + good, "", false},
		"404":             {404, "", "metadata_not_found", false},
		"401":             {401, "", "metadata_refused", false},
		"403":             {403, "<html>", "metadata_refused", false},
		"500":             {500, "", "metadata_unavailable", true},
		"429":             {429, "", "metadata_unavailable", true},
		"a page":          {200, "<html>", "metadata_invalid", false},
		"nothing":         {200, "", "metadata_invalid", false},
		"another":         {200, `{"issuer":"https://other.example.com"}`, "issuer_mismatch", false},
		"no issuer":       {200, `{"token_endpoint":"https://as.example.com"}`, "metadata_invalid", false},
		"no endpoint":     {200, `{"issuer":"%s"}`, "metadata_invalid", false},
		"a list":          {200, `[]`, "metadata_invalid", false},
		"another's words": {200, `{"issuer":"\u001b[2J\u202e"}`, "issuer_mismatch", false},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := issuing(t, func(w http.ResponseWriter, _ *http.Request, url string) {
				w.WriteHeader(test.status)
				body := strings.ReplaceAll(test.body, "%s", url)
				if name == "gzip" {
					body = zip(body)
				}
				_, _ = io.WriteString(w, body)
			})
			_, err := Discover(t.Context(), url, asking.Connection{})
			none, _ := errors.AsType[*Undiscovered](err)
			switch {
			case test.cause == "" && err != nil, test.cause != "" && none == nil:
				t.Fatal(err)
			case none == nil:
			case none.Cause != test.cause || none.Passes != test.passes || strings.Contains(none.Remedy, "none needed") != test.passes || strings.ContainsAny(err.Error(), "\x1b\u202e"):
				t.Errorf("%+v", none)
			}
		})
	}
}
