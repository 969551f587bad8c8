package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/sandbox"
)

func TestFaultsAnswerAndConsumeNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		fault        string
		status       int
		body         string
		header, want string
	}{
		"status":               {`{"kind":"status","status":503}`, 503, "server_error", "Content-Type", "application/json;charset=UTF-8"},
		"status not given":     {`{"kind":"status"}`, 500, "server_error", "", ""},
		"a page":               {`{"kind":"html"}`, 502, "<html>", "Content-Type", "text/html"},
		"a page that is a 200": {`{"kind":"html","status":200}`, 200, "<html>", "", ""},
		"a redirect":           {`{"kind":"redirect","location":"http://127.0.0.1:1/"}`, 302, "", "Location", "http://127.0.0.1:1/"},
		"another body":         {`{"kind":"body","body":"access_token=x","content_type":"text/plain"}`, 200, "access_token=x", "Content-Type", "text/plain"},
		"come back later":      {`{"kind":"retry_after","retry_after":7}`, 429, "", "Retry-After", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.control("POST", "faults", tc.fault, 200)
			out, err := r.send(query(r.sandbox.Seed()))
			if err != nil || out.status != tc.status || !strings.Contains(out.raw, tc.body) {
				t.Fatalf("%v %d %s", err, out.status, out.raw)
			}
			if got := out.header.Get(tc.header); tc.header != "" && got != tc.want {
				t.Errorf("%s: %s", tc.header, got)
			}
			r.refresh(r.sandbox.Seed())
			if stats := r.sandbox.Stats(); stats.Faults != 1 || stats.TokenRequests != 2 || stats.SpentRefreshTokens != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestCutBeforeConsumesNothing(t *testing.T) {
	r := newRig(t)
	r.control("POST", "faults", `{"kind":"cut_before"}`, 200)
	if out, err := r.send(query(r.sandbox.Seed())); err == nil {
		t.Fatalf("answered %d", out.status)
	}
	r.refresh(r.sandbox.Seed())
}

func TestFaultsThatLoseTheAnswerSpendTheRefreshToken(t *testing.T) {
	for name, fault := range map[string]string{
		"cut":                 `{"kind":"cut_after"}`,
		"truncated":           `{"kind":"truncate"}`,
		"error of a gateway":  `{"kind":"status","status":504,"consume":true}`,
		"a page, with 200":    `{"kind":"html","status":200,"consume":true}`,
		"another body":        `{"kind":"body","body":"{}","consume":true}`,
		"redirected, somehow": `{"kind":"redirect","location":"/","consume":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.control("POST", "faults", fault, 200)
			if out, err := r.send(query(r.sandbox.Seed())); err == nil && out.RefreshToken != "" {
				t.Fatalf("answered %s", out.raw)
			}
			r.refused(r.sandbox.Seed())
			if stats := r.sandbox.Stats(); stats.Refreshed != 1 || stats.SpentRefreshTokens != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestTruncatedAnswerEndsBeforeTheRefreshToken(t *testing.T) {
	r := newRig(t)
	r.control("POST", "faults", `{"kind":"truncate"}`, 200)
	out, err := r.send(query(r.sandbox.Seed()))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("not cut: %v", err)
	}
	if out.status != http.StatusOK || !strings.Contains(out.raw, "access_token") || strings.Contains(out.raw, "refresh_token") {
		t.Errorf("%d %s", out.status, out.raw)
	}
}

func TestWithoutARefreshTokenTheOldOneStays(t *testing.T) {
	r := newRig(t)
	first := r.refresh(r.sandbox.Seed())
	r.control("POST", "faults", `{"kind":"no_refresh_token"}`, 200)
	second := r.refresh(first.RefreshToken)
	if strings.Contains(second.raw, "refresh_token") {
		t.Errorf("answered %s", second.raw)
	}
	r.accepts(first.AccessToken, false)
	r.accepts(second.AccessToken, true)
	third := r.refresh(first.RefreshToken)
	r.refused(first.RefreshToken)
	r.accepts(third.AccessToken, true)
}

func TestFaultsApplyInOrderAndAsOftenAsAskedFor(t *testing.T) {
	r := newRig(t)
	r.control("POST", "faults", `[{"kind":"status","status":500,"times":2},{"kind":"status","status":501}]`, 200)
	r.control("POST", "faults", `{"kind":"status","status":503,"times":-1}`, 200)
	for _, want := range []int{500, 500, 501, 503, 503, 503} {
		if out, err := r.send(query("x")); err != nil || out.status != want {
			t.Fatalf("%v %d, want %d", err, out.status, want)
		}
	}
	r.control("DELETE", "faults", "", 204)
	r.refresh(r.sandbox.Seed())
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	r := newRig(t)
	for _, fault := range []string{`{"kind":"x"}`, `{"kind":"status","status":99}`, `{"kind":"status","times":-2}`, `{"kind":"delay"}`, `{"kind":"status","colour":1}`, `x`, ``} {
		if answer := r.control("POST", "faults", fault, 400); fault == `{"kind":"x"}` && !strings.Contains(answer, "cut_before") {
			t.Errorf("it does not say what there is: %s", answer)
		}
	}
	if got := strings.TrimSpace(r.control("GET", "faults", "", 200)); got != "[]" {
		t.Errorf("faults: %s", got)
	}
}

// The clock of a synctest bubble stands still except for the fault's delay.
func TestDelaysBeforeAndAfterTheExchange(t *testing.T) {
	for kind, refreshedEarly := range map[string]bool{"delay": false, "delay_answer": true} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := sandbox.New(sandbox.Options{ClientID: clientID, ClientSecret: clientSecret, Lifetime: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				h := s.AuthorizationServer()
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/_sandbox/faults", strings.NewReader(`{"kind":"`+kind+`","ms":700}`)))
				start := time.Now()
				answer := httptest.NewRecorder()
				done := make(chan struct{})
				go func() {
					h.ServeHTTP(answer, httptest.NewRequest("POST", "/auth/oauth2/token?"+query(s.Seed()).Encode(), nil))
					close(done)
				}()
				synctest.Wait()
				if got := s.Stats().Refreshed == 1; got != refreshedEarly {
					t.Errorf("refreshed during the delay: %v", got)
				}
				<-done
				if took := time.Since(start); took != 700*time.Millisecond || answer.Code != http.StatusOK {
					t.Errorf("%d after %v", answer.Code, took)
				}
			})
		})
	}
}
