package tokenendpoint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// madeElsewhere is an assertion with that exp.
func madeElsewhere(exp time.Time) string {
	claims := fmt.Sprintf(`{"sub":"sidecar","exp":%d}`, exp.Unix())
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func ready(assertion string) *ReadyAssertion {
	return &ReadyAssertion{Place: "/run/token", Read: func() (string, error) { return assertion, nil }}
}

func TestAnAssertionOfSomebodyElseIsSentAsItStands(t *testing.T) {
	for name, tt := range map[string]struct {
		dialect   Dialect
		request   Request
		assertion string
		want      map[string]string
	}{
		"without a client_id": {
			dialect: Dialect{AuthMethod: "private_key_jwt"}, assertion: madeElsewhere(signedAt.Add(time.Hour)),
			want: map[string]string{"client_assertion_type": jwtAssertion, "client_id": ""},
		},
		"with one": {
			dialect: Dialect{AuthMethod: "private_key_jwt"}, request: Request{ClientID: "app"}, assertion: madeElsewhere(signedAt.Add(time.Hour)),
			want: map[string]string{"client_assertion_type": jwtAssertion, "client_id": "app"},
		},
		"of another type": {
			dialect: Dialect{AuthMethod: "private_key_jwt", AssertionType: "urn:x"}, assertion: "neither+JWT/nor=anything",
			want: map[string]string{"client_assertion_type": "urn:x", "client_id": ""},
		},
		"without an end": {
			dialect: Dialect{AuthMethod: "private_key_jwt"}, assertion: "a.e30.c", want: map[string]string{"client_assertion_type": jwtAssertion},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.request.ReadyAssertion = ready(tt.assertion)
			params, _ := asked(t, tt.dialect, tt.request)
			tt.want["client_assertion"] = tt.assertion
			for param, want := range tt.want {
				if got := params.Get(param); got != want {
					t.Errorf("%s is %q, want %q", param, got, want)
				}
			}
		})
	}
}

func TestNoConnectionIsMadeWithAnAssertionThatIsNotThereOrExpired(t *testing.T) {
	expired := madeElsewhere(now.Add(-time.Second))
	unread := ready("")
	unread.Read = func() (string, error) {
		return "", errors.New("client_assertion: open /run/token: no such file or directory")
	}
	for name, tt := range map[string]struct {
		assertion *ReadyAssertion
		outcome   Outcome
		cause     string
		says      []string
	}{
		"expired":   {ready(expired), NotSent, CauseAssertionExpired, []string{"/run/token", "2026-11-23T11:59:59Z"}},
		"not there": {unread, Misconfigured, "unresolved_setting", []string{"/run/token"}},
	} {
		s := serveRaw(t, func(net.Conn, string) { t.Errorf("%s: somebody connected", name) })
		a := ask(t, Dialect{AuthMethod: "private_key_jwt"}, Request{URL: "http://" + s.address, ReadyAssertion: tt.assertion})
		if a.Outcome != tt.outcome || a.Cause != tt.cause || a.Remedy == "" || strings.Contains(a.Detail, expired) {
			t.Errorf("%s: %+v", name, a)
		}
		for _, word := range tt.says {
			if !strings.Contains(a.Detail, word) {
				t.Errorf("%s: %q does not say %q", name, a.Detail, word)
			}
		}
	}
	c := newClient(t, Dialect{AuthMethod: "private_key_jwt"})
	if err := c.Check(Request{URL: "https://as.example.com", ReadyAssertion: ready(expired)}); err != nil {
		t.Errorf("one that may be renewed at any moment is an error of the settings: %v", err)
	}
}

// What servers say of an assertion that they take once: none has a code for it.
func TestAServerThatTakesAnAssertionOnceIsUnderstood(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"invalid_client","error_description":"Client authentication with signed JWT failed: Token reuse detected"}`: CauseAssertionReused, // Keycloak
		`{"error":"jti_known","error_description":"The jti was already used."}`:                                               CauseAssertionReused, // fosite
		`{"error":"invalid_client","error_description":"client assertion tokens must only be used once"}`:                     CauseAssertionReused, // oidc-provider
		`{"error":"invalid_client","error_description":"The client_assertion has been replayed"}`:                             CauseAssertionReused,
		`{"error":"invalid_client","error_description":"client authentication failed"}`:                                       "invalid_client",
		`{"error":"invalid_scope"}`: "invalid_scope",
		`{"error":"invalid_grant","error_description":"refresh token already used"}`: "invalid_grant",
	} {
		url := answering(t, 401, nil, body)
		a := ask(t, Dialect{AuthMethod: "private_key_jwt"}, Request{URL: url, ReadyAssertion: ready(madeElsewhere(now.Add(time.Hour)))})
		if a.Cause != want || a.Outcome == Misconfigured && a.Remedy == "" {
			t.Errorf("%s is %q: %q", body, a.Cause, a.Remedy)
		}
		if want == CauseAssertionReused && !strings.Contains(a.Remedy, "/run/token") {
			t.Errorf("%s: the remedy is %q", body, a.Remedy)
		}
		signed := ask(t, Dialect{}, Request{URL: url, ClientID: "app", ClientSecret: "s"})
		if signed.Cause == CauseAssertionReused {
			t.Errorf("%s is about no assertion: %+v", body, signed)
		}
	}
}
