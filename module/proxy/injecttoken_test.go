package proxy_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

// php is a FastCGI application that hands its requests to a handler.
func php(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { _ = fcgi.Serve(listener, handler) }()
	return listener.Addr().String()
}

func TestFastCGIGetsTheTokenAndNothingOfTheCallers(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	application := php(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %v", r.URL.RawQuery, r.Header)
	})
	s.Load(s.Site("inject header Authorization \"Bearer {access_token}\"\ninject header X-Api-Key", "inject_token erp\nphp_fastcgi "+application+" {\nindex off\n}"))
	res, body := s.Raw("GET /a.php?access_token=evil&b=1 HTTP/1.1\nHost: x\nAuthorization: Bearer evil\nX-Api-Key: evil\nX_Api_Key: evil\nX-Other: kept\n" +
		"Connection: close, x-api-key,\tAUTHORIZATION\n\n")
	if res.StatusCode != 200 || !strings.HasPrefix(body, "b=1 ") || strings.Contains(body, "evil") ||
		!strings.Contains(body, "Authorization:[Bearer access-token-1") || !strings.Contains(body, "X-Api-Key:[access-token-1") || !strings.Contains(body, "X-Other:[kept]") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), "Caddy's log shows the token") || !strings.Contains(string(log), "header X-Api-Key") {
		t.Errorf("no warning about the header that Caddy logs: %v", err)
	}
	if res, body := s.Raw("TRACE /a.php HTTP/1.1\nHost: x\nConnection: close\n\n"); res.StatusCode != 405 || res.Header.Get("Allow") == "" {
		t.Errorf("TRACE: got %d %s", res.StatusCode, body)
	}
}

func TestLogFilterHidesTheHeaderThatCaddyLogs(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	application := php(t, func(http.ResponseWriter, *http.Request) {})
	config := s.Site("inject header X-Api-Key", "inject_token erp\nphp_fastcgi "+application+" {\nindex off\n}")
	output := "output file " + s.Dir + "/log"
	s.Load(strings.Replace(config, output, output+"\nformat filter {\nrequest>headers>X-Api-Key delete\nenv>HTTP_X_API_KEY delete\n}", 1))
	if res, body := s.Do("GET", "/a.php", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), "upstream roundtrip") || !strings.Contains(string(log), `"env":`) {
		t.Fatalf("the debug log of the request is missing: %v", err)
	}
	if strings.Contains(string(log), "access-token-1") {
		t.Error("the log holds the token")
	}
}

func TestOfAnAnswerThatIsBrokenOffTheLogFilterHidesTheHeader(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Refuse = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, r.Header.Get("X-Api-Key")[:6])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	s := moduletest.NewSidecar(t, as)
	config := s.Site("inject header X-Api-Key", "inject_token erp\nreverse_proxy "+strings.TrimPrefix(as.API.URL, "http://"))
	config = strings.Replace(config, "\tdebug\n", "", 1)
	output := "output file " + s.Dir + "/log"
	s.Load(strings.Replace(config, output, output+"\nformat filter {\nrequest>headers>X-Api-Key delete\n}", 1))
	if answer := s.Rough("GET / HTTP/1.1\nHost: x\nConnection: close\n\n"); !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(answer, "access") {
		t.Fatal(answer)
	}
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), "aborting with incomplete response") {
		t.Fatalf("%v %s", err, log)
	}
	if strings.Contains(string(log), "access-token-1") {
		t.Errorf("the log holds the token: %s", log)
	}
}

func TestRequestWithoutATokenIsAnErrorThatHandleErrorsShows(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	s := moduletest.NewSidecar(t, as)
	application := php(t, func(http.ResponseWriter, *http.Request) { t.Error("it was called without a token") })
	s.Load(s.Site("wait 50ms", "inject_token erp\nreverse_proxy "+application+" {\ntransport fastcgi\n}\nhandle_errors {\nrespond \"sorry: {err.status_code} {err.message}\"\n}"))
	res, body := s.Do("GET", "/", "")
	if res.StatusCode != 503 || !strings.HasPrefix(body, "sorry: 503 client erp: there is no valid access token") || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Proxy-Status"), "lamplighter; error=") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestTokenIsNotLeftBehindForOtherHandlers(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	application := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	url := strings.TrimPrefix(application.URL, "http://")
	s.Load(s.Site("", "inject_token erp\nreverse_proxy "+url+"\nhandle_errors {\nrespond \"{http.request.header.Authorization} {query}\"\n}"))
	if res, _ := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	application.Close()
	if res, body := s.Do("GET", "/?a=1", "", "Authorization", "mine"); res.StatusCode != 502 || body != "mine a=1" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

func TestRotationWaitsForInjectedRequests(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	as.Lifetime = 3 // refreshed after about two seconds
	started, stale := make(chan struct{}, 1), make(chan bool, 1)
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		as.Lock()
		valid := r.Header.Get("Authorization") == "Bearer "+as.AccessToken
		as.Unlock()
		if !valid {
			t.Error("a request with a dead token")
		}
		if r.URL.Path != "/slow" {
			return
		}
		before, _, _ := as.Count()
		started <- struct{}{}
		// The token is due while this request has no answer: the refresh waits.
		for range 50 {
			if n, _, _ := as.Count(); n != before {
				stale <- true
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		stale <- false
	}))
	defer application.Close()
	s.Load(s.Site("quiesce 10s", "inject_token erp\nreverse_proxy "+strings.TrimPrefix(application.URL, "http://")))
	s.Do("GET", "/", "")
	var slow sync.WaitGroup
	defer slow.Wait()
	slow.Go(func() { s.Do("GET", "/slow", "") })
	<-started
	if <-stale {
		t.Error("the token was replaced while a request that carried it had no answer")
	}
}

func TestTokenIsNotInjectedTwice(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	proxy := "reverse_proxy " + as.API.URL + " {\ntransport oauth2 erp\n}"
	for name, directives := range map[string]string{
		"one after another":  "inject_token erp\n" + proxy,
		"in a route":         "route {\ninject_token erp\n" + proxy + "\n}",
		"around a handle":    "route {\ninject_token erp\nhandle /a {\n" + proxy + "\n}\n}",
		"before our own":     "route {\ninject_token erp\nupstream_oauth " + as.API.URL + " {\nclient erp\n}\n}",
		"for the same paths": "route /a/* {\ninject_token erp\n" + proxy + "\n}",
	} {
		if err := moduletest.Validate(t, s.Site("", directives)); err == nil || !strings.Contains(err.Error(), "client erp") || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// What depends on the request is found out with it.
	s.Load(s.Site("", "route {\ninject_token /a/* erp\n"+proxy+"\n}"))
	if res, body := s.Do("GET", "/b", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	_, body := s.Do("GET", "/a/b", "")
	if !strings.Contains(body, "token_injected_twice") {
		t.Errorf("got %s", body)
	}
}

func TestInjectTokenThatCannotWorkIsRefused(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	if err := moduletest.Validate(t, s.Site("inject header Proxy-Authorization", "inject_token erp\nrespond ok")); err == nil || !strings.Contains(err.Error(), "Proxy-Authorization") {
		t.Errorf("got %v", err)
	}
}
