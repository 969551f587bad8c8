package proxy_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// repeating is an API that repeats what it is asked for, as APIs do by themselves.
func repeating(t *testing.T) *moduletest.Rotating {
	t.Helper()
	as := moduletest.NewRotating(t)
	as.Refuse = func(w http.ResponseWriter, r *http.Request) { // which is asked where no header has the token
		if c, err := r.Cookie("sess"); err == nil {
			http.SetCookie(w, &http.Cookie{Name: "sess", Value: c.Value, Path: "/", MaxAge: 3600})
		}
		if r.URL.Path == "/rejects" && strings.Contains(r.URL.RawQuery+r.Header.Get("Cookie"), "access-token-1") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/early" {
			http.Redirect(w, r, r.URL.Path+"/?"+r.URL.RawQuery, http.StatusMovedPermanently) // whose body has a link
			return
		}
		w.Header().Set("Link", "<"+r.URL.String()+"&page=2>; rel=next, <"+r.Header.Get("Cookie")+">")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Refresh", "1; url=/x?"+r.URL.RawQuery)
		w.Header().Set("Content-Location", r.URL.String())
		w.Header().Set("Trailer", "X-Url")
		_, _ = io.WriteString(w, "an answer")
		w.Header().Set("X-Url", r.URL.String()+";"+r.Header.Get("Cookie"))
	}
	return as
}

func TestWhatAnAPIRepeatsOfAQueryOrACookieReachesNobody(t *testing.T) {
	for name, configure := range map[string]func(s *moduletest.Sidecar, place string) string{
		"upstream_oauth": func(s *moduletest.Sidecar, place string) string { return s.Config(place, "") },
		"late": func(s *moduletest.Sidecar, place string) string {
			return s.Config(place, "transport http {\nmax_conns_per_host 5\n}")
		},
		"inject_token": func(s *moduletest.Sidecar, place string) string {
			return s.Site(place, "inject_token erp\nreverse_proxy "+strings.TrimPrefix(s.AS.API.URL, "http://"))
		},
	} {
		for _, place := range []string{"inject query key", "inject cookie sess"} {
			t.Run(name+", "+place, func(t *testing.T) {
				s := moduletest.NewSidecar(t, repeating(t))
				config := strings.Replace(configure(s, place), "\tdebug\n", "", 1)
				s.Load(strings.Replace(config, "bind 127.0.0.1", "bind 127.0.0.1\nlog", 1))
				repeatsNothing(t, s, name != "inject_token")
			})
		}
	}
}

func repeatsNothing(t *testing.T, s *moduletest.Sidecar, again bool) {
	t.Helper()
	answers := ""
	for path, want := range map[string]string{"/orders": "Location: /orders/?a=1\r\n", "/rejects": "Location: /rejects/?a=1\r\n", "/early": "Content-Location: /early?a=1\r\n"} {
		if path == "/rejects" && !again {
			continue
		}
		answer := s.Rough("GET " + path + "?a=1 HTTP/1.1\nHost: x\nConnection: close\n\n")
		if !strings.Contains(answer, want) {
			t.Errorf("%s is answered %s", path, answer)
		}
		answers += answer
	}
	for _, kept := range []string{"HTTP/1.1 103", "X-Url: /early?a=1", "&page=2>; rel=next", "an answer"} {
		if !strings.Contains(answers, kept) {
			t.Errorf("%q is missing in %s", kept, answers)
		}
	}
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), "handled request") {
		t.Fatalf("%v %s", err, log)
	}
	for what, shown := range map[string]string{"the caller": answers, "the log": string(log)} {
		if i := strings.Index(shown, "access-token-"); i >= 0 {
			t.Errorf("%s is shown %s", what, shown[max(0, i-200):i+20])
		}
	}
}
