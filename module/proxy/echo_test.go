package proxy_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// interspersed puts a character behind every seventh, so that no eight of the word stand together.
func interspersed(word, between string) string {
	var b strings.Builder
	for len(word) > 7 {
		b.WriteString(word[:7] + between)
		word = word[7:]
	}
	return b.String() + word
}

// Fault A1.
func TestAnUpstreamThatRepeatsTheTokenInItsChallengeTellsNobody(t *testing.T) {
	for name, repeat := range map[string]func(scheme, token string) string{
		"quoted":        func(scheme, token string) string { return scheme + ` error="` + token + `"` },
		"DPoP":          func(_, token string) string { return `DPoP error="` + token + `"` },
		"within a word": func(scheme, token string) string { return scheme + ` error="x` + token + `x"` },
		"percent":       func(scheme, token string) string { return scheme + ` error="` + url.QueryEscape(token) + `"` },
		"with what is taken out of words": func(scheme, token string) string {
			return scheme + ` error="` + interspersed(token, "{") + `"`
		},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Handler = func(w http.ResponseWriter, r *http.Request) {
				scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
				w.Header().Set("WWW-Authenticate", repeat(scheme, token))
				w.WriteHeader(http.StatusUnauthorized)
			}
			s := moduletest.NewSidecar(t, as)
			s.Load(strings.Replace(s.Config("", ""), "\tdebug\n", "", 1)) // which logs every header of answers
			if res, _ := s.Do("POST", "/", "hello"); res.StatusCode != http.StatusUnauthorized {
				t.Fatal(res.Status)
			}
			log, err := os.ReadFile(s.Log)
			if err != nil || !strings.Contains(string(log), "token_rejected") {
				t.Fatalf("%v %s", err, log)
			}
			as.Lock()
			defer as.Unlock()
			for _, secret := range as.Everything {
				for _, spelled := range []string{secret, secret[3:14]} {
					if strings.Contains(string(log), spelled) {
						t.Errorf("the log has %q", spelled)
					}
				}
			}
		})
	}
}
