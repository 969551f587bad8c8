package clients

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// newAPI is what the clients call: it greets, says what it was sent, redirects,
// compresses and remembers.
func newAPI() http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	api.HandleFunc("POST /digest", digest)
	api.HandleFunc("PUT /digest", digest)
	api.Handle("GET /moved", http.RedirectHandler("/hello", http.StatusFound))
	api.Handle("POST /moved-digest", http.RedirectHandler("/digest", http.StatusTemporaryRedirect))
	api.HandleFunc("GET /zipped", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			http.Error(w, "this client takes no gzip", http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		fmt.Fprint(zipped, strings.Repeat("zipped ", 1000))
		_ = zipped.Close()
	})
	api.HandleFunc("GET /cookies", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Join(r.Header.Values("Cookie"), "; "))
	})
	api.HandleFunc("GET /remember", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "remembered"})
		fmt.Fprint(w, "remembered")
	})
	api.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			_, _ = w.Write(make([]byte, 16<<10))
			_ = http.NewResponseController(w).Flush()
		}
	})
	return api
}

// digest says what the body was.
func digest(w http.ResponseWriter, r *http.Request) {
	digest := sha256.New()
	n, err := io.Copy(digest, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%d %x", n, digest.Sum(nil))
}

// kind is a kind of upstream.
type kind struct {
	name  string
	start func(t *testing.T, handler http.Handler) (upstream, block string)
}

// kinds are the protocols that an upstream may speak.
var kinds = []kind{
	{"http", func(t *testing.T, handler http.Handler) (string, string) {
		return serve(t, httptest.NewUnstartedServer(handler)).URL, ""
	}},
	{"https with HTTP/2", func(t *testing.T, handler http.Handler) (string, string) {
		return startTLS(t, only("HTTP/2.0", handler))
	}},
	{"h2c", func(t *testing.T, handler http.Handler) (string, string) {
		server := httptest.NewUnstartedServer(only("HTTP/2.0", handler))
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		return "h2c://" + strings.TrimPrefix(serve(t, server).URL, "http://"), ""
	}},
}

// startTLS starts an upstream that speaks HTTP/1.1 and HTTP/2 over TLS.
func startTLS(t *testing.T, handler http.Handler) (upstream, block string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, trusting(t, server)
}

func serve(t *testing.T, server *httptest.Server) *httptest.Server {
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// only sees to it that the upstream is spoken to as it was meant to be.
func only(proto string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != proto {
			http.Error(w, "this is "+r.Proto, http.StatusHTTPVersionNotSupported)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// trusting is the transport of a site whose upstream has a certificate that
// nobody knows.
func trusting(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := rig.Write(t, rig.Home(t), "upstream.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return "\t\ttransport http {\n\t\t\ttls_trust_pool file " + filepath.ToSlash(path) + "\n\t\t}"
}

// everyKind returns a site for each kind of upstream, twice: with an issuer that
// kills an access token when it issues the next, and with one where we say that
// it lives until it expires.
func everyKind(t *testing.T, api http.Handler) []*site {
	t.Helper()
	var sites []*site
	for _, k := range kinds {
		for _, overlap := range []string{"none", "until_expiry"} {
			is := newIssuer(t, false)
			upstream, block := k.start(t, is.protect(api))
			sites = append(sites, &site{name: k.name + ", overlap " + overlap, upstream: upstream, block: block, issuer: is, overlap: overlap})
		}
	}
	return sites
}
