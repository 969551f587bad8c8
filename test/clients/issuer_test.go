package clients

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// lifetime is that of an access token. Half of it passes until the next.
const lifetime = 2 * time.Second

// issuer is an authorization server that replaces the refresh token with each
// refresh, as Tencent EIAM does, and knows which access token its APIs accept.
type issuer struct {
	*httptest.Server
	// lenient lets an access token live until it expires. Without it the next one
	// kills it at once.
	lenient bool

	seed string // the first refresh token

	mu       sync.Mutex
	next     chan struct{} // closed when there is another access token
	refresh  string
	access   []issued
	spent    int // refresh tokens that were presented again
	rejected int // requests whose access token no API accepts
}

type issued struct {
	token   string
	expires time.Time
}

func newIssuer(t *testing.T, lenient bool) *issuer {
	t.Helper()
	is := &issuer{lenient: lenient, seed: rand.Text()}
	is.refresh, is.next = is.seed, make(chan struct{})
	is.Server = httptest.NewServer(http.HandlerFunc(is.serveToken))
	t.Cleanup(func() {
		is.Close()
		if is.spent > 0 {
			t.Errorf("%d spent refresh tokens were presented", is.spent)
		}
	})
	return is
}

func (is *issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("refresh_token") != is.refresh {
		is.spent++
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	close(is.next)
	is.refresh, is.next = rand.Text(), make(chan struct{})
	is.access = append(is.access, issued{rand.Text(), time.Now().Add(lifetime)})
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d,"refresh_token":%q}`,
		is.access[len(is.access)-1].token, int(lifetime.Seconds()), is.refresh)
}

// generation is how many access tokens there were.
func (is *issuer) generation() int {
	is.mu.Lock()
	defer is.mu.Unlock()
	return len(is.access)
}

// outlived waits until an access token is not the newest any more.
func (is *issuer) outlived(ctx context.Context, authorization string) {
	is.mu.Lock()
	next, newest := is.next, "Bearer "+is.access[len(is.access)-1].token
	is.mu.Unlock()
	if authorization != newest {
		return
	}
	select {
	case <-next:
	case <-ctx.Done():
	}
}

// accepts reports whether an API may answer a request with these credentials.
func (is *issuer) accepts(authorization ...string) bool {
	is.mu.Lock()
	defer is.mu.Unlock()
	for i, a := range is.access {
		last := i == len(is.access)-1
		if len(authorization) == 1 && authorization[0] == "Bearer "+a.token && (last || is.lenient) && time.Now().Before(a.expires) {
			return true
		}
	}
	is.rejected++
	return false
}

// refused is how many requests had an access token that no API accepts.
func (is *issuer) refused() int {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.rejected
}

// protect is an API that looks at the token before anything else, as all do.
func (is *issuer) protect(api http.Handler) http.Handler {
	return is.guard(api, func(r *http.Request) []string { return r.Header.Values("Authorization") })
}

// protectByCookie is an API whose token is in the cookie named token. The API sees
// the other cookies, as they were sent.
func (is *issuer) protectByCookie(api http.Handler) http.Handler {
	return is.guard(api, func(r *http.Request) (credentials []string) {
		var others []string
		for cookie := range strings.SplitSeq(strings.Join(r.Header.Values("Cookie"), "; "), "; ") {
			if token, ok := strings.CutPrefix(cookie, "token="); ok {
				credentials = append(credentials, "Bearer "+token)
			} else {
				others = append(others, cookie)
			}
		}
		r.Header.Set("Cookie", strings.Join(others, "; "))
		return credentials
	})
}

func (is *issuer) guard(api http.Handler, credentials func(*http.Request) []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if is.accepts(credentials(r)...) {
			api.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Www-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "the access token is not valid", http.StatusUnauthorized)
	})
}
