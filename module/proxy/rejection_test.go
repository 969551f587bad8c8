package proxy_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

// refusals are the ways in which APIs say that a token is dead, and the setting that
// makes them known.
var refusals = map[string]struct {
	setting string
	refuse  http.HandlerFunc
}{
	"403 and a challenge": {"", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
		w.WriteHeader(http.StatusForbidden)
	}},
	"403":                   {"rejected {\nstatus 403\n}", answer(403, "", "")},
	"a class":               {"rejected {\nstatus 302 4xx\n}", answer(419, "", "")},
	"a redirect":            {"rejected {\nstatus 302\nheader Location *login*\n}", answer(302, "Location", "/login")},
	"404 and a header":      {"rejected {\nstatus 404\nheader X-Token-Expired\n}", answer(404, "X-Token-Expired", "yes")},
	"200 and an error code": {"rejected {\njson errcode 40001\n}\nrejected {\nstatus 200\njson errcode 42001\n}", answer(200, "", `{"errcode":42001,"errmsg":"access_token expired"}`)},
	"gzip": {"rejected {\njson error.code expired\n}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"error":{"code":"expired"}}`)
		_ = z.Close()
	}},
}

func answer(status int, header, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if header != "" {
			w.Header().Set(header, value)
		} else if value != "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		w.WriteHeader(status)
		if header == "" {
			_, _ = io.WriteString(w, value)
		}
	}
}

// Fault D7.
func TestARejectionIsA401InEveryRespect(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Refuse = test.refuse
			s := moduletest.NewSidecar(t, as)
			s.Load(s.Config("min_refresh_interval 10ms\n"+test.setting, ""))
			if res, body := s.Do("GET", "/", "", "Accept-Encoding", "gzip"); res.StatusCode != 200 {
				t.Fatalf("got %s %q", res.Status, body)
			}
			time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
			as.KillToken()
			if res, body := s.Do("PUT", "/", "hello", "Accept-Encoding", "gzip"); res.StatusCode != 200 || body != "PUT "+res.Request.Host+" / hello" && !strings.HasSuffix(body, " / hello") {
				t.Errorf("got %s %q, want the request repeated", res.Status, body)
			}
			// Not what may have been acted on; but the next one has a token that lives.
			as.KillToken()
			s.Do("POST", "/", "hello", "Accept-Encoding", "gzip")
			moduletest.Eventually(t, "a forced refresh", func() bool {
				res, body := s.Do("POST", "/", "hello", "Accept-Encoding", "gzip")
				return res.StatusCode == 200 && strings.HasSuffix(body, " / hello")
			})
			if _, spent, _ := as.Count(); spent != 0 {
				t.Errorf("%d spent refresh tokens", spent)
			}
		})
	}
}

// Fault D7.
func TestAnAPIThatAlwaysRejectsCostsOneForcedRefresh(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Handler = answer(200, "", `{"errcode":40001}`)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms\nrejected {\njson errcode 40001\n}", ""))
	for range 100 {
		if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || body != `{"errcode":40001}` {
			t.Fatalf("got %s %q", res.Status, body)
		}
	}
	if requests, spent, _ := as.Count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, want the first and a forced one; %d spent", requests, spent)
	}
}

func TestWhatIsNoRejectionRefreshesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		setting string
		answer  http.HandlerFunc
	}{
		"401, off":        {"rejected off", answer(401, "", "")},
		"403":             {"", answer(403, "Www-Authenticate", `Bearer error="insufficient_scope"`)},
		"another code":    {"rejected {\njson errcode 40001\n}", answer(200, "", `{"errcode":0}`)},
		"another status":  {"rejected {\nstatus 400\njson errcode 40001\n}", answer(200, "", `{"errcode":40001}`)},
		"401 and a block": {"rejected off\nrejected {\nstatus 403\n}", answer(401, "", "")},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Handler = test.answer
			s := moduletest.NewSidecar(t, as)
			s.Load(s.Config("min_refresh_interval 10ms\n"+test.setting, ""))
			for range 3 {
				s.Do("GET", "/", "")
				time.Sleep(15 * time.Millisecond)
			}
			if requests, _, _ := as.Count(); requests != 1 {
				t.Errorf("%d token requests", requests)
			}
		})
	}
}

// Fault D7: nothing of a stream is held back.
func TestNothingOfAStreamIsHeldBack(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/vnd.api+json", "text/event-stream", "application/x-ndjson"} {
		for name, first := range map[string]string{"a byte": "{", "headers": ""} {
			t.Run(contentType+", "+name, func(t *testing.T) {
				as := moduletest.NewRotating(t)
				goOn := make(chan struct{})
				as.Handler = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", contentType)
					w.Header().Set("Trailer", "X-Sum")
					_, _ = io.WriteString(w, first)
					_ = http.NewResponseController(w).Flush()
					<-goOn
					_, _ = io.WriteString(w, `"errcode":40001}`)
					w.Header().Set("X-Sum", "17")
				}
				s := moduletest.NewSidecar(t, as)
				s.Load(s.Config("rejected {\njson errcode 40001\n}", "flush_interval -1"))
				res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://"+s.Address, nil))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body := bufio.NewReader(res.Body)
				if got, err := body.Peek(len(first)); err != nil || string(got) != first {
					t.Fatalf("got %q, %v", got, err)
				}
				close(goOn) // only now, when the first byte is there
				if rest, err := io.ReadAll(body); err != nil || string(rest) != first+`"errcode":40001}` || res.Trailer.Get("X-Sum") != "17" {
					t.Errorf("got %q, %v, trailer %v", rest, err, res.Trailer)
				}
			})
		}
	}
}

func TestAnUpgradeIsNoRejection(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Expired: yes\r\nContent-Type: application/json\r\n\r\n")
		_ = rw.Flush()
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("rejected {\nheader X-Expired\n}\nrejected {\njson a\n}", ""))
	if res := s.Handshake("GET", "echo", ""); res.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %s", res.Status)
	}
	if requests, _, _ := as.Count(); requests != 1 {
		t.Errorf("%d token requests", requests)
	}
}

// Fault D7.
func TestARejectionOfACallersTokenExchangesItAnew(t *testing.T) {
	exchanges := 0
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) {
		exchanges++
		moduletest.Granted(w, fmt.Sprint("token-", exchanges))
	})
	s.API.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			answer(200, "", `{"errcode":42001}`)(w, r)
			return
		}
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	sc := s.Serving(t, "token_endpoint "+s.Tokens.URL+"/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token {http.request.header.Authorization}\nmin_refresh_interval 1ms\nrejected {\njson errcode 42001\n}", "")
	if res, body := sc.Do("GET", "/", "", "Authorization", "Bearer user-erika"); res.StatusCode != 200 || body != "Bearer token-2" {
		t.Errorf("got %s %s", res.Status, body)
	}
}
