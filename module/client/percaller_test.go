package client_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"lamplighter/module/moduletest"
)

// Faults A1 and C8.
func TestGarbageInPlaceOfATokenIsRefusedWithoutAsking(t *testing.T) {
	for setting, requests := range map[string][][3]string{
		"{header.Authorization}": {
			{"/", "Authorization", "Bearer abc\xffdef"},
			{"/", "Authorization", "Bearer abc def"},
			{"/", "Authorization", "Bearer a,Bearer b"},
			{"/", "Authorization", "Basic YTpi"},
			{"/", "Authorization", "DPoP abc"},
		},
		"{query.tok}": {
			{"/?tok=%ff%fe", "X-A", "b"},
			{"/?tok=a%00b", "X-A", "b"},
			{"/?tok=a&tok=b", "X-A", "b"},
			{"/", "X-A", "b"},
		},
		"{cookie.tok}": {
			{"/", "Cookie", "tok=a\xffb"},
			{"/", "Cookie", "tok=\"a b\""},
		},
	} {
		t.Run(strings.Trim(setting, "{}"), func(t *testing.T) {
			s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
			sc := s.Serving(t, s.ExchangeSettings(setting), "")
			for _, r := range requests {
				res, body := sc.Do("GET", r[0], "", r[1], r[2])
				if res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") || strings.Contains(body, "s3cret") {
					t.Errorf("%.60q: got %d %v %s", r, res.StatusCode, res.Header, body)
				}
			}
			if n := len(s.Requests()); n != 0 {
				t.Errorf("%d token requests", n)
			}
			if log, err := os.ReadFile(sc.Log); err != nil || strings.Contains(string(log), "s3cret") {
				t.Errorf("a secret is in the log (%v)", err)
			}
		})
	}
}

// Fault C7: the upstream gets no caller's token, wherever it came from, and all else
// as it was.
func TestACallersTokenEndsHereWhereverItCameFrom(t *testing.T) {
	const cookies = `a=1; j={"a":1}`
	for setting, c := range map[string]struct{ path, header, value string }{
		"{header.Authorization}":             {"/p?a=%zz&b=2", "Authorization", "Bearer user-erika"},
		"{header.X-User-Token}":              {"/p?a=%zz&b=2", "X-User-Token", "user-erika"},
		"{cookie.tok}":                       {"/p?a=%zz&b=2", "Cookie", `a=1; TOK=user-erika; j={"a":1}`},
		"{query.tok}":                        {"/p?a=%zz&tok=user-erika&b=2", "X-A", "b"},
		"{http.request.uri.query.user.tok}":  {"/p?a=%zz&user%2Etok=user-erika&b=2", "X-A", "b"},
		"{header.Authorization}{cookie.tok}": {"/p?a=%zz&b=2", "Cookie", `a=1; tok=user-erika; j={"a":1}`},
	} {
		for _, how := range []string{"upstream_oauth", "inject_token"} {
			t.Run(how+" "+strings.NewReplacer("{", "", "}", " ").Replace(setting), func(t *testing.T) {
				s := moduletest.NewGranting(t, moduletest.Exchanging)
				var got *http.Request
				s.API.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })
				sc := moduletest.NewSidecar(t, moduletest.NewRotating(t))
				config := s.Caddyfile(sc, s.ExchangeSettings(setting), "")
				if how == "inject_token" {
					at := strings.Index(config, "http://:")
					_, port, _ := strings.Cut(sc.Address, ":")
					config = strings.TrimSuffix(strings.TrimSpace(config[:at]), "}") + "order inject_token before reverse_proxy\noauth2_client api {\n" + s.ExchangeSettings(setting) + "\n}\n}\nhttp://:" + port +
						" {\nbind 127.0.0.1\ninject_token api\nreverse_proxy " + s.API.URL + "\n}"
				}
				sc.Load(config)
				headers := []string{c.header, c.value}
				if c.header != "Cookie" {
					headers = append(headers, "Cookie", cookies)
				}
				res, body := sc.Do("GET", c.path, "", headers...)
				if res.StatusCode != 200 || got == nil {
					t.Fatalf("got %d %s", res.StatusCode, body)
				}
				if got.Header.Get("Authorization") != "Bearer for-user-erika" || got.Header.Get("X-User-Token") != "" {
					t.Errorf("it is sent %v", got.Header)
				}
				if got.Header.Get("Cookie") != cookies || got.RequestURI != "/p?a=%zz&b=2" {
					t.Errorf("it is sent %s with the cookies %s", got.RequestURI, got.Header.Get("Cookie"))
				}
			})
		}
	}
}

// Fault C2.
func TestRetryAfterOfTheServerHoldsForAllCallers(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	sc := s.Serving(t, s.ExchangeSettings("{header.Authorization}"), "")
	for i := range 30 {
		res, body := sc.Do("GET", "/", "", "Authorization", fmt.Sprint("Bearer user-", i))
		left, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if res.StatusCode != 503 || err != nil || left < 30 || left > 60 || !strings.Contains(body, "rate_limited") {
			t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
		}
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

func TestNoCallerGetsAnothersTokenWhileConfigurationsChange(t *testing.T) {
	s := moduletest.NewGranting(t, moduletest.Exchanging)
	settings := s.ExchangeSettings("{header.Authorization}")
	sc := s.Serving(t, settings, "")
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				user := fmt.Sprintf("user-%d-%d", i, n%5)
				if got := sc.AsUser(t, user); got != "200 Bearer for-"+user+"||" {
					t.Errorf("%s: got %s", user, got)
				}
			}
		})
	}
	for i := range 8 {
		sc.Load(s.Caddyfile(sc, settings+fmt.Sprintf("\nmax_entries %d", 10+10*(i%2)), ""))
	}
	close(stop)
	callers.Wait()
}
