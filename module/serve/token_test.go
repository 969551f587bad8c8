package serve_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

const asked = "Lamplighter-Token"

// overlapping is a setting without which the rotating server's tokens are dead at once, as
// they are, and answers are held for that.
const overlapping = "rotation_overlap until_expiry"

// siteOf is a Caddyfile with the client "erp" of these settings, and a site of these directives.
func siteOf(s *moduletest.Sidecar, settings, directives string) string {
	_, port, _ := net.SplitHostPort(s.Address)
	return fmt.Sprintf("{\nadmin off\npersist_config off\nlog {\noutput file %s\n}\noauth2_client erp {\n%s\n}\n}\nhttp://:%s {\nbind 127.0.0.1\n%s\n}\n", s.Log, settings, port, directives)
}

// exchanging is one whose callers have tokens of their own.
func exchanging(s *moduletest.Sidecar, server, block string) string {
	return siteOf(s, "token_endpoint "+server+"/token\nclient_id app\nclient_secret {file."+s.Dir+"/secret}\ngrant_type token_exchange\nsubject_token {header.Authorization}",
		"serve_token erp {\n"+block+"\n}")
}

func TestATokenIsServedInTheHeadersThatRequestsNeed(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("inject header Authorization \"Bearer {access_token}\"\ninject header X-Id-Token {id_token}", "serve_token erp"))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "ANYTHING"} {
		res, body := s.Do(method, "/any/path?and=query", "", asked, "yes")
		h := res.Header
		if res.StatusCode != 200 || body != "" || h.Get("Content-Length") != "0" || h.Get("Authorization") != "Bearer access-token-1-abcdefghij" || h.Get("X-Id-Token") != "id" {
			t.Errorf("%s: got %d %v %q", method, res.StatusCode, h, body)
		}
		if !strings.HasPrefix(h.Get("Vary"), "Accept, Lamplighter-Token, ") || h.Get("Cache-Control") != "no-store" || !strings.HasPrefix(h.Get("Lamplighter-Generation"), "1-") || h.Get("Lamplighter-Forced") != "" {
			t.Errorf("%s: got %v", method, h)
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: a page may read it, says %s", method, name)
			}
		}
	}
}

func TestATokenIsServedAsATokenEndpointAnswersForWhoAsksForJSON(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("", "serve_token erp"))
	for accept, wants := range map[string]bool{
		"application/json": true, "text/html, APPLICATION/JSON;q=0.5": true, "application/json;charset=utf-8": true, "application/json, text/plain, */*": true,
		"application/json;q=0": false, "*/*": false, "application/*": false, "": false, "application/jsonp": false, ",;,\"": false,
	} {
		res, body := s.Do("GET", "/", "", asked, "yes", "Accept", accept)
		if res.StatusCode != 200 || res.Header.Get("Authorization") != "Bearer access-token-1-abcdefghij" || (body != "") != wants {
			t.Errorf("%q: got %d %v %s", accept, res.StatusCode, res.Header, body)
		}
		if !wants {
			continue
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil || res.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%v in %s", err, body)
		}
		seconds, _ := got["expires_in"].(float64)
		if len(got) != 3 || got["access_token"] != "access-token-1-abcdefghij" || got["token_type"] != "Bearer" || seconds < 3500 || seconds > 3600 || seconds != float64(int(seconds)) {
			t.Errorf("got %s", body)
		}
		head, _ := s.Do("HEAD", "/", "", asked, "yes", "Accept", accept)
		if head.StatusCode != 200 || head.Header.Get("Content-Length") != res.Header.Get("Content-Length") || head.Header.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD: got %v", head.Header)
		}
	}
}

func TestJSONHoldsTheIDTokenIfThatGoesIntoRequests(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("inject header Authorization \"Bearer {id_token}\"", "serve_token erp"))
	if res, body := s.Do("GET", "/", "", asked, "yes", "Accept", "application/json"); !strings.Contains(body, `"id_token":"id"`) || strings.Contains(body, "refresh") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestWhatNoHeaderHoldsIsServedAsJSONOnly(t *testing.T) {
	for _, inject := range []string{"query token", "cookie token", "header Proxy-Authorization", "header Content-Type", "header Set-Cookie"} {
		t.Run(inject, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			s.Load(s.Site("inject "+inject, "serve_token erp"))
			res, body := s.Do("GET", "/", "", asked, "yes")
			if cause, remedy := moduletest.ProblemOf(t, res, body); res.StatusCode != 406 || cause != "token_not_in_header" || !strings.Contains(remedy, "Accept: application/json") {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
			res, body = s.Do("GET", "/", "", asked, "yes", "Accept", "application/json")
			if res.StatusCode != 200 || !strings.Contains(body, `"access_token":"access-token-1-abcdefghij"`) || strings.Contains(fmt.Sprint(res.Header), "access-token") {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
		})
	}
}

func TestServeTokenThatCannotWorkIsRefusedByValidate(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	const exchange = "each caller has its own"
	for name, tc := range map[string]struct{ settings, block, word string }{
		"a value that no answer holds":            {"inject query key {response.key}", "", "{response.…}"},
		"a token that needs proofs":               {"dpop", "", "proof"},
		"a cache that hands out dead tokens":      {"", "cache", "feedback"},
		"a cache for less than caches count":      {overlapping, "cache 500ms", "whole seconds"},
		"forwarded, from whom ever":               {"", "forwarded", "caller_secret"},
		"a secret that cannot be read":            {"", "caller_secret {file.nowhere}", "nowhere"},
		"callers that are none":                   {"", "callers everybody", "everybody"},
		"another scope of a grant that rotates":   {"", "scope a", "scope"},
		"a cache for tokens of each caller's own": {exchange, "cache", "each caller"},
		"a cache for these, though with feedback": {exchange, "cache 5s feedback", "each caller"},
	} {
		t.Run(name, func(t *testing.T) {
			config := s.Site(tc.settings, "serve_token erp {\n"+tc.block+"\n}")
			if tc.settings == exchange {
				config = exchanging(s, "https://login.example.com", tc.block)
			}
			err := moduletest.Validate(t, config)
			if err == nil || !strings.Contains(err.Error(), tc.word) || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCachesKeepATokenUntilItsNextRefresh(t *testing.T) {
	for name, tc := range map[string]struct {
		lifetime float64
		cache    string
		want     func(age string) bool
	}{
		"ten seconds, by default":       {3600, "cache", func(age string) bool { return age == "max-age=10" }},
		"as long as it says":            {3600, "cache 1m", func(age string) bool { return age == "max-age=60" }},
		"not longer than it is in use":  {12, "cache 1h", func(age string) bool { return age >= "max-age=6" && age <= "max-age=8" }},
		"a second, if it is short":      {2.9, "cache", func(age string) bool { return age == "max-age=1" }},
		"not at all, if it ends soon":   {1.9, "cache", func(age string) bool { return age == "no-store" }},
		"not at all, if nobody says so": {3600, "", func(age string) bool { return age == "no-store" }},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Lifetime = tc.lifetime
			s := moduletest.NewSidecar(t, as)
			s.Load(s.Site(overlapping, "serve_token erp {\n"+tc.cache+"\n}"))
			if res, body := s.Do("GET", "/", "", asked, "yes"); res.StatusCode != 200 || !tc.want(res.Header.Get("Cache-Control")) {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
		})
	}
}

func TestNobodyGetsAnEmpty200WhereThereIsNoToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Site("wait 50ms", "serve_token erp {\ncache feedback\n}"))
	res, body := s.Do("GET", "/", "", asked, "yes")
	if cause, _ := moduletest.ProblemOf(t, res, body); res.StatusCode != 503 || cause == "" || res.Header.Get("Retry-After") == "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestARequestWaitsForTheFirstToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	release := make(chan struct{})
	as.Answer = func(http.ResponseWriter) bool {
		<-release
		return false
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Site("", "serve_token erp"))
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	if res, body := s.Do("GET", "/", "", asked, "yes"); res.StatusCode != 200 || res.Header.Get("Authorization") == "" {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestARejectedTokenIsReplacedAndNotAgainAndAgain(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Site("", "serve_token erp"))
	first, _ := s.Do("GET", "/", "", asked, "yes")
	generation := first.Header.Get("Lamplighter-Generation")
	for _, unknown := range []string{"", "0", "1", generation + "0", "1-00000000", "2-" + generation[2:], strings.Repeat("9", 5000)} {
		if res, _ := s.Do("GET", "/", "", asked, "yes", "Lamplighter-Rejected", unknown); res.StatusCode != 200 || res.Header.Get("Lamplighter-Generation") != generation {
			t.Errorf("%.20q: got %d %v", unknown, res.StatusCode, res.Header)
		}
	}
	time.Sleep(time.Second) // min_refresh_interval
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			res, body := s.Do("GET", "/", "", asked, "yes", "Lamplighter-Rejected", generation)
			if res.StatusCode != 200 || res.Header.Get("Authorization") != "Bearer access-token-2-abcdefghij" || res.Header.Get("Lamplighter-Forced") != "" {
				t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
			}
		})
	}
	all.Wait()
	second, _ := s.Do("GET", "/", "", asked, "yes")
	for range 5 {
		res, body := s.Do("GET", "/", "", asked, "yes", "Lamplighter-Rejected", second.Header.Get("Lamplighter-Generation"))
		if forced := res.Header.Get("Lamplighter-Forced"); res.StatusCode != 200 || res.Header.Get("Authorization") != "Bearer access-token-2-abcdefghij" || forced < "no; retry=20" || forced > "no; retry=30" {
			t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
		}
	}
	if requests, spent, _ := as.Count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, %d with a spent refresh token", requests, spent)
	}
}

func TestARejectedTokenThatCannotBeReplacedIs503(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Site("wait 2s", "serve_token erp"))
	first, _ := s.Do("GET", "/", "", asked, "yes")
	time.Sleep(time.Second)
	as.Lock()
	as.Answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	as.Unlock()
	res, body := s.Do("GET", "/", "", asked, "yes", "Lamplighter-Rejected", first.Header.Get("Lamplighter-Generation"))
	if moduletest.ProblemOf(t, res, body); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "the API is said to have refused") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	if res, _ := s.Do("GET", "/", "", asked, "yes"); res.StatusCode != 200 { // it may be right for another API
		t.Errorf("got %d", res.StatusCode)
	}
}

// Without a hold, whoever asks between the answer of the authorization server and ours gets a
// token that is dead.
func TestNobodyIsServedATokenThatIsAboutToDie(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Lifetime = 3 // replaced after two seconds
	answering := make(chan time.Time, 100)
	as.Answer = func(http.ResponseWriter) bool {
		time.Sleep(200 * time.Millisecond) // with the lock
		answering <- time.Now()
		return false
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Site("quiesce 100ms", "serve_token erp"))
	dead := 0
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		res, body := s.Do("GET", "/", "", asked, "yes")
		if res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		as.Lock()
		if res.Header.Get("Authorization") != "Bearer "+as.AccessToken {
			dead++
		}
		as.Unlock()
	}
	if n := len(answering); n < 3 || dead > 0 {
		t.Errorf("%d rotations, %d dead tokens", n, dead)
	}
}

func TestEachCallerGetsItsOwnTokenAndNoCacheKeepsIt(t *testing.T) {
	as := moduletest.NewGranting(t, moduletest.Exchanging)
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(exchanging(s, as.Tokens.URL, ""))
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			user := fmt.Sprintf("user-%d", n)
			for range 5 {
				res, body := s.Do("GET", "/", "", asked, "yes", "Authorization", "Bearer "+user)
				if res.StatusCode != 200 || res.Header.Get("Authorization") != "Bearer for-"+user || res.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: got %d %v %s", user, res.StatusCode, res.Header, body)
				}
			}
		})
	}
	all.Wait()
	for _, header := range []string{"", "Bearer nobody", "Basic dXNlcg=="} {
		res, body := s.Do("GET", "/", "", asked, "yes", "Authorization", header)
		if moduletest.ProblemOf(t, res, body); res.StatusCode != 403 || res.Header.Get("Www-Authenticate") != "" {
			t.Errorf("%q: got %d %v %s", header, res.StatusCode, res.Header, body)
		}
	}
}

func TestTheSecretOfCallersIsNobodysToken(t *testing.T) {
	as := moduletest.NewGranting(t, moduletest.Exchanging)
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	const secret = "the-secret-of-callers"
	moduletest.Write(t, s, "caller", secret)
	s.Load(exchanging(s, as.Tokens.URL, "caller_secret {file."+s.Dir+"/caller}"))
	for _, headers := range [][]string{
		{asked, secret, "Authorization", "Bearer " + secret},
		{asked, secret, "Authorization", "Token " + secret},
		{asked, secret, "Authorization", secret},
		{asked, "yes", "Authorization", "Bearer " + secret},
		{asked, "yes", "Proxy-Authorization", "Bearer " + secret, "Authorization", "bearer  " + secret},
		{asked, "yes", "Proxy-Authorization", "Bearer " + secret, "Authorization", "JWT\t" + secret},
	} {
		res, body := s.Do("GET", "/", "", headers...)
		if got, _ := moduletest.ProblemOf(t, res, body); res.StatusCode != 403 || got != "no_subject_token" {
			t.Errorf("%q: got %d %s", headers, res.StatusCode, body)
		}
	}
	if list := as.Requests(); len(list) != 0 {
		t.Errorf("the server is asked: %v", list)
	}
	if res, body := s.Do("GET", "/", "", asked, secret, "Authorization", "Bearer user-1"); res.Header.Get("Authorization") != "Bearer for-user-1" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestARouteMayHandOutATokenOfAnotherScope(t *testing.T) {
	as := moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) { moduletest.Granted(w, "for-"+r.PostForm.Get("scope")) })
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(siteOf(s, "token_endpoint "+as.Tokens.URL+"\nclient_id app\nclient_secret {file."+s.Dir+"/secret}\nscope all", "serve_token /a erp\nserve_token /b erp {\nscope some\n}"))
	for path, want := range map[string]string{"/a": "Bearer for-all", "/b": "Bearer for-some"} {
		if res, body := s.Do("GET", path, "", asked, "yes"); res.Header.Get("Authorization") != want {
			t.Errorf("%s: got %d %v %s", path, res.StatusCode, res.Header, body)
		}
	}
}

func TestALineTellsWhoGotWhichToken(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("", "serve_token erp {\naudit\n}"))
	s.Do("PUT", "/", "", asked, "yes")
	s.Do("GET", "/", "", asked, "no")
	log, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.SplitSeq(string(log), "\n") {
		if !strings.Contains(line, "token handed out") {
			continue
		}
		lines++
		for _, word := range []string{`"http.handlers.serve_token.audit"`, `"client":"erp"`, `"caller":"127.0.0.1"`, `"generation":1`, `"method":"PUT"`} {
			if !strings.Contains(line, word) {
				t.Errorf("no %s in %s", word, line)
			}
		}
	}
	if lines != 1 || strings.Contains(string(log), "access-token-1") {
		t.Errorf("%d lines", lines)
	}
}

func TestRequestsForATokenAreCountedByWhatBecameOfThem(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("inject query token\nwait 50ms", "serve_token erp"))
	for range 3 {
		s.Do("GET", "/", "", asked, "yes", "Accept", "application/json")
	}
	s.Do("GET", "/", "", asked, "no")
	s.Do("GET", "/", "", asked, "yes") // 406
	var shown struct{ Requests map[string]int }
	if status := moduletest.Asked(t, "GET", "clients/erp", &shown); status != 200 || shown.Requests["sent"] != 3 || shown.Requests["refused"] != 2 || shown.Requests["unavailable"] != 0 {
		t.Errorf("%d %v", status, shown)
	}
}
