package tokenendpoint

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestLifetimesAreReadInEveryFormatAndNonsenseIsTheDefault(t *testing.T) {
	const byDefault = 90 * time.Minute
	for _, test := range []struct {
		format, value string // value is JSON
		want          time.Duration
		defaulted     bool
	}{
		{"seconds", `7200`, 2 * time.Hour, false},
		{"seconds", `3599.5`, 3599500 * time.Millisecond, false},
		{"seconds", `"3600"`, time.Hour, false},
		{"seconds", `" 3600 "`, time.Hour, false},
		{"seconds", `1e3`, 1000 * time.Second, false},
		{"seconds", `""`, byDefault, false}, // the lifetime is known
		{"seconds", `null`, byDefault, false},
		{"seconds", `true`, byDefault, true},
		{"seconds", `{}`, byDefault, false},
		{"seconds", `0`, byDefault, true},
		{"seconds", `-1`, byDefault, true},
		{"seconds", `1e300`, byDefault, true},
		{"seconds", `1e999`, byDefault, true},
		{"seconds", `"NaN"`, byDefault, true},
		{"seconds", `"Inf"`, byDefault, true},
		{"seconds", `"soon"`, byDefault, true},
		{"seconds", `315360001`, byDefault, true},
		{"milliseconds", `60000`, time.Minute, false},
		{"rfc3339", `"2026-11-23T12:30:00Z"`, 30 * time.Minute, false},
		{"rfc3339", `"2026-11-23 12:30:00"`, byDefault, true},
		{"rfc3339", `"2026-11-23T11:30:00Z"`, byDefault, true},
		{"unix", fmt.Sprint(now.Unix() + 60), time.Minute, false},
		{"unix", `60`, byDefault, true},
		{"unix_ms", fmt.Sprint(now.UnixMilli() + 1500), 1500 * time.Millisecond, false},
		{"duration", `"1h30m"`, 90 * time.Minute, false},
		{"duration", `"1 hour"`, byDefault, true},
		{"none", `7200`, byDefault, false},
	} {
		url := answering(t, 200, nil, `{"access_token":"A2","refresh_token":"R2","expires_in":`+test.value+`}`)
		a := ask(t, Dialect{ExpiresFormat: test.format, DefaultExpiresIn: byDefault}, Request{URL: url})
		if a.Outcome != Granted || a.RefreshToken != "R2" || (a.ExpiresIn-test.want).Abs() > time.Microsecond || (a.ExpiresDefaulted != "") != test.defaulted {
			t.Errorf("%s %s: %+v", test.format, test.value, a)
		}
	}
}

func TestTheLifetimeOfAJWTIsItsOwn(t *testing.T) {
	for claims, want := range map[string]time.Duration{
		fmt.Sprintf(`{"exp":%d}`, now.Unix()+300):                   5 * time.Minute,
		`{"exp":1000600,"iat":1000000}`:                             10 * time.Minute, // the server's clock is years behind
		`{"exp":"2021-09-29 00:00:00","iat":"2021-09-11 00:00:00"}`: time.Hour,
		`{}`: time.Hour,
		`no`: time.Hour,
	} {
		a := ask(t, Dialect{ExpiresFormat: "jwt"}, Request{URL: answering(t, 200, nil, `{"access_token":"`+jwt(claims)+`"}`)})
		if a.Outcome != Granted || (a.ExpiresIn-want).Abs() > time.Millisecond {
			t.Errorf("%s: %+v", claims, a)
		}
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func TestOddSuccessesAreUnderstood(t *testing.T) {
	const good = `{"access_token":"A2","refresh_token":"R2","expires_in":60}`
	for name, body := range map[string]string{
		"byte order mark":       "\xef\xbb\xbf" + good,
		"white space":           "\r\n\t " + good + "\n",
		"a form":                "access_token=A2&refresh_token=R2&expires_in=60",
		"gzip unasked":          zipped(good),
		"something after it":    good + "\n<!-- cached -->",
		"error 0 beside tokens": `{"errcode":0,"error":"","errmsg":"ok","access_token":"A2","refresh_token":"R2","expires_in":60}`,
		"more than 4 MiB":       good[:len(good)-1] + `,"x":"` + strings.Repeat("y", 4<<20) + `"}`,
		"deeply nested":         good[:len(good)-1] + `,"x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}",
	} {
		a := ask(t, Dialect{ErrorPath: "error|errcode"}, Request{URL: answering(t, 200, http.Header{"Content-Type": {"text/plain"}}, body)})
		if a.Outcome != Granted || a.AccessToken != "A2" || a.RefreshToken != "R2" || a.ExpiresIn != time.Minute || a.Unusable != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestATokenThatCannotBeInjectedIsKeptAndSaysWhy(t *testing.T) {
	for body, want := range map[string]string{
		`{"access_token":"A2","refresh_token":"R2","token_type":"mac"}`:    `token_type is "mac"`,
		`{"access_token":"A\r\nX: y","refresh_token":"R2"}`:                "no header may hold",
		`{"access_token":"Ä","refresh_token":"R2"}`:                        "no header may hold",
		`{"access_token":"A 2","refresh_token":"R2"}`:                      "no header may hold",
		`{"access_token":"A2","refresh_token":"R2","token_type":"bearer"}`: "",
		`{"access_token":"A2|x:y","refresh_token":"R2","token_type":""}`:   "",
		`{"access_token":"AAAA","refresh_token":"R2","token_type":"AAAA"}`: `token_type is words withheld`,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if a.Outcome != Granted || a.RefreshToken != "R2" || !strings.Contains(a.Unusable, want) || (want == "") != (a.Unusable == "") {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestAnEmptyRefreshTokenIsNone(t *testing.T) {
	for _, value := range []string{`""`, `null`, `{}`, `[]`} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":`+value+`}`)})
		if a.Outcome != Granted || a.RefreshToken != "" {
			t.Errorf("refresh_token %s: %+v", value, a)
		}
	}
}

func TestErrorsAreSortedByWhatTheCallerMayDo(t *testing.T) {
	rfc := Dialect{ErrorPath: "error|errcode|code"}
	for _, test := range []struct {
		dialect Dialect
		status  int
		body    string
		outcome Outcome
		cause   string
	}{
		// https://cloud.tencent.com/document/product/1442/62558
		{eiam, 401, `{"error":"invalid_request","error_description":"invalid_token"}`, Refused, "invalid_request"},
		{eiam, 400, `{"error":"invalid_request","error_description":"invalid client"}`, Misconfigured, "invalid_request"},
		{eiam, 400, `{"error":"invalid_request","error_description":"missing refresh_token parameter"}`, Misconfigured, "invalid_request"},
		{eiam, 400, `{"error":"invalid_request","error_description":"invalid grant_type"}`, Misconfigured, "invalid_request"},
		{eiam, 403, `{"error":"unauthorized_client","error_description":"invalid user password"}`, Misconfigured, "unauthorized_client"},
		{eiam, 400, `{"error":"invalid_grant"}`, Misconfigured, "invalid_grant"},

		// RFC 6749 section 5.2
		{rfc, 400, `{"error":"invalid_grant"}`, Refused, "invalid_grant"},
		{rfc, 401, `{"error":"invalid_grant","error_description":"expired"}`, Refused, "invalid_grant"},
		{rfc, 400, `error=invalid_grant`, Refused, "invalid_grant"},
		{rfc, 200, `{"error":"invalid_grant"}`, Refused, "invalid_grant"},
		{rfc, 401, `{"error":"invalid_client"}`, Misconfigured, "invalid_client"},
		{rfc, 400, `{"error":"invalid_scope"}`, Misconfigured, "invalid_scope"},
		{rfc, 400, `{"error":"unsupported_grant_type"}`, Misconfigured, "unsupported_grant_type"},
		{rfc, 404, ``, Misconfigured, CauseRequestRejected},
		{rfc, 405, `Method Not Allowed`, Misconfigured, CauseRequestRejected},
		{rfc, 400, `{"error":{"code":"bad_thing","message":"m"}}`, Misconfigured, "bad_thing"},
		{rfc, 400, `{"error":"not a code\n"}`, Misconfigured, CauseRequestRejected},

		// an error in a success
		{rfc, 200, `{"errcode":40013,"errmsg":"invalid appid"}`, Misconfigured, "40013"},
		{rfc, 200, `{"code":0,"msg":"success"}`, Unavailable, CauseNoAccessToken},
		{rfc, 200, `{"error":"temporarily_unavailable"}`, Unavailable, "temporarily_unavailable"},
		{Dialect{TerminalErrors: []string{"40014"}, ErrorPath: "errcode"}, 200, `{"errcode":40014}`, Refused, "40014"},

		// transient
		{rfc, 500, ``, Unavailable, CauseServerError},
		{rfc, 503, `{"error":"invalid_grant"}`, Unavailable, "invalid_grant"}, // a gateway's word is no refusal
		{Dialect{TerminalErrors: []string{"500 invalid_grant"}}, 500, `{"error":"invalid_grant"}`, Refused, "invalid_grant"},
		{rfc, 502, `<html>Bad Gateway</html>`, Unavailable, CauseServerError},
		{rfc, 408, ``, Unavailable, CauseServerError},
		{rfc, 429, ``, Unavailable, CauseRateLimited},
		{rfc, 400, `{"error":"slow_down"}`, Unavailable, "slow_down"},
		{rfc, 403, `<!DOCTYPE html><html>blocked</html>`, Unavailable, CauseServerError},
		{rfc, 200, `<html>log in to the hotel's network</html>`, Unavailable, CauseServerError},

		// unreadable
		{rfc, 200, ``, Unanswered, CauseNoAnswer},
		{rfc, 204, ``, Unanswered, CauseNoAnswer},
		{rfc, 200, `it worked`, Unanswered, CauseNoAnswer},
		{rfc, 200, `{"access_token":`, Unanswered, CauseNoAnswer},
		{rfc, 200, "\x00\x00\x00\x00", Unanswered, CauseNoAnswer},
		{rfc, 200, "\x1f\x8bnot gzip", Unanswered, CauseNoAnswer},
	} {
		a := ask(t, test.dialect, Request{URL: answering(t, test.status, nil, test.body)})
		if a.Outcome != test.outcome || a.Cause != test.cause || a.Status != test.status || a.AccessToken != "" || a.Detail == "" {
			t.Errorf("%d %s: %+v", test.status, test.body, a)
		}
	}
}

func TestARefreshTokenIsRecoveredWhateverElseIsWrong(t *testing.T) {
	for name, body := range map[string]string{
		"no access token":       `{"refresh_token":"R2"}`,
		"an error beside it":    `{"error":"invalid_scope","refresh_token":"R2"}`,
		"access token not text": `{"access_token":{},"refresh_token":"R2"}`,
		"cut off":               `{"refresh_token":"R2","access_token":"A`,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if a.Outcome == Granted || a.RefreshToken != "R2" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	a := ask(t, Dialect{IgnoreRefreshToken: true}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":"R2"}`)})
	if a.Outcome != Granted || a.RefreshToken != "" {
		t.Errorf("to be ignored: %+v", a)
	}
}

func TestAnAnswerWithoutTheTokenNamesWhatItHolds(t *testing.T) {
	a := ask(t, Dialect{AccessTokenPath: "data.token"}, Request{URL: answering(t, 200, nil, `{"data":{"tok":"SECRET"},"msg":"ok","a key":1}`)})
	if a.Cause != CauseNoAccessToken || !strings.Contains(a.Detail, "without an access token at data.token; it holds data, msg") || strings.Contains(a.Detail, "SECRET") {
		t.Errorf("answer: %+v", a)
	}
}

func TestTokensAreFoundElsewhere(t *testing.T) {
	body := `{"data":[{"a.b":{"token":"A2"}}],"token":{"expires_at":"2026-11-23T13:00:00Z"},"instance":"https://x"}`
	header := http.Header{"X-Subject-Token": {"H2"}, "Set-Cookie": {"sid=C2; Path=/"}}
	for path, want := range map[string]string{
		"data.0.a.b.token": "A2", "nothing|data.0.a.b.token": "A2", "header:x-subject-token": "H2", "cookie:sid": "C2", "nothing | header:X-Subject-Token": "H2",
	} {
		a := ask(t, Dialect{AccessTokenPath: path, ExpiresPath: "token.expires_at", ExpiresFormat: "rfc3339", ResponsePaths: []string{"instance", "absent"}},
			Request{URL: answering(t, 201, header, body)})
		if a.Outcome != Granted || a.AccessToken != want || a.ExpiresIn != time.Hour || len(a.Response) != 1 || a.Response["instance"] != "https://x" {
			t.Errorf("%s: %+v", path, a)
		}
	}
	a := ask(t, Dialect{AccessTokenPath: "@body", ExpiresFormat: "none"}, Request{URL: answering(t, 200, nil, "plain-token\n")})
	if a.Outcome != Granted || a.AccessToken != "plain-token" {
		t.Errorf("@body: %+v", a)
	}
}

func TestRetryAfterIsReadInBothFormatsAndCapped(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-3": 0, "soon": 0, "": 0, "NaN": 0, "999999999999999999999": time.Hour,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Minute).Format(http.TimeFormat):     0,
		now.Add(48 * time.Hour).Format(http.TimeFormat):   time.Hour,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 429, http.Header{"Retry-After": {value}}, "")})
		if a.RetryAfter != want {
			t.Errorf("Retry-After %q: %s, want %s", value, a.RetryAfter, want)
		}
	}
}

func TestNoSecretIsEverQuoted(t *testing.T) {
	r := Request{
		ClientID: "app", ClientSecret: `s3+cr/et"=&%`, RefreshToken: "redacted", Username: "user@example", Password: "pass word",
		Params: map[string][]string{"key": {"extra-key"}}, Header: http.Header{"X-Api-Key": {"header-key"}},
	}
	basic := base64.StdEncoding.EncodeToString([]byte(r.ClientID + ":" + r.ClientSecret))
	all := []string{r.ClientSecret, "REDACTED-", r.Password, "extra-key", "header-key", basic, "A2-token", "R2-token", "query-key"}
	echoes := make([]string, 0, 4*len(all))
	for _, secret := range all {
		echoes = append(echoes, secret, url.QueryEscape(secret), strings.ToLower(url.QueryEscape(secret)), base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	echo := strings.Join(echoes, " ")
	for _, status := range []int{200, 302, 400, 401, 429, 500} {
		for _, body := range []string{
			fmt.Sprintf(`{"error":"invalid_grant","error_description":%q,"refresh_token":"R2-token"}`, echo),
			fmt.Sprintf(`{"error":"extra-key","error_description":%q}`, strings.Repeat("x", 190)+r.Password+echo),
			fmt.Sprintf(`{"error":{"code":"A2-token","message":%q},"refresh_token":"R2-token","access_token":{"A2-token":1}}`, echo),
			url.Values{"error": {"x"}, "error_description": {echo}}.Encode(),
			echo, "",
		} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example/?"+url.QueryEscape(echo))
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}))
			r.URL = server.URL + "/?k=query-key"
			a := ask(t, Dialect{BasicEncoding: "raw"}, r)
			server.Close()
			printed := strings.ToLower(a.Cause + " " + a.Detail + " " + a.Unusable + " " + a.ExpiresDefaulted)
			for _, secret := range []string{r.ClientSecret, url.QueryEscape(r.ClientSecret), "s3+cr", "pass word", "pass%20word", "pass+word", "extra-key", "header-key", basic, "r2-token", "redacted-"} {
				if strings.Contains(printed, strings.ToLower(secret)) {
					t.Errorf("%d %s:\nprints %s: %s", status, body, secret, printed)
				}
			}
			if len(a.Detail) > 2000 || strings.ContainsAny(a.Detail, "\n\r\t") {
				t.Errorf("detail is not fit to print: %q", a.Detail)
			}
		}
	}
}

// FuzzAnswer holds the invariant that matters most: whatever else is wrong with
// an answer, a refresh token in it is found, and no secret is quoted.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", `,"access_token":"A","expires_in":60}`)
	f.Add(200, "text/html", `,"error":"invalid_grant","error_description":"SECRET-REFRESH"`)
	f.Add(201, "", `,"expires_in":1e300,"token_type":"mac"`)
	f.Add(200, "", `,"error":{"code":1,"message":"\u0000"}} trailing`)
	f.Add(299, "", "")
	f.Fuzz(func(t *testing.T, status int, contentType, rest string) {
		status = 200 + abs(status)%100
		c := newClient(t, Dialect{})
		// Duplicate names make it anybody's guess which value is meant.
		if strings.Contains(rest, "refresh_token") || strings.Contains(rest, `\u`) {
			return
		}
		s := secretsOf(&Request{RefreshToken: "SECRET-REFRESH", ClientSecret: "SECRET-CLIENT"})
		r := replyOf(status, http.Header{"Content-Type": {contentType}}, strings.NewReader(`{"refresh_token":"SECRET-NEXT"`+rest))
		held := c.hold(r, now, map[string]bool{"SECRET-REFRESH": true, "SECRET-CLIENT": true})
		s.Add(held.RefreshToken, held.AccessToken)
		a := c.described(held, r, s)
		if a.RefreshToken != "SECRET-NEXT" {
			t.Errorf("the refresh token is lost: %+v", a)
		}
		for _, text := range []string{a.Cause, a.Detail, a.Unusable, a.ExpiresDefaulted} {
			for _, secret := range []string{"SECRET-REFRESH", "SECRET-CLIENT", "SECRET-NEXT"} {
				if strings.Contains(strings.ToUpper(text), secret) {
					t.Errorf("prints a secret: %q", text)
				}
			}
		}
		if a.Outcome == Granted && a.ExpiresIn <= 0 {
			t.Errorf("granted for %s", a.ExpiresIn)
		}
		if a.Outcome < Granted || a.Outcome > Refused || a.Outcome != Granted && (a.Cause == "" || a.Detail == "" || a.AccessToken != "") {
			t.Errorf("incomplete: %+v", a)
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
