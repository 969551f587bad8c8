package tokenendpoint

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
)

// Fault A10.
func TestTheEndOfAGrantIsRecognisedByStatusCodeAndDescription(t *testing.T) {
	const sentence = `{"error":"Bad Request","status":400,"message":"Invalid refresh token"}`
	for _, test := range []struct {
		matcher string
		status  int
		body    string
		refused bool
	}{
		{`400 "Bad Request"`, 400, sentence, true},
		{`400 "Bad Request" invalid refresh`, 400, sentence, true},
		{`400 "Bad Request" invalid client`, 400, sentence, false},
		{`"Bad Request"`, 400, sentence, true},
		{`401 "Bad Request"`, 400, sentence, false},
		{`400 Bad Request`, 400, sentence, false}, // the code is Bad
		{`400`, 400, sentence, true},
		{`400`, 400, ``, true},
		{`400`, 400, `<html>`, true},
		{`401`, 400, sentence, false},
		{`500`, 500, `oops`, true},
		{`* 401`, 400, `{"error":401}`, true},
		{`* 401`, 401, `{"error":"other"}`, false},
		{`* 190`, 400, `{"error":{"code":190}}`, true},
		{`40014`, 200, `{"error":40014}`, true},
		{`999`, 400, `{"error":999}`, true},
		{`"a \"quoted\" code"`, 400, `{"error":"a \"quoted\" code"}`, true},
	} {
		a := ask(t, Dialect{TerminalErrors: []string{test.matcher}}, Request{URL: answering(t, test.status, nil, test.body)})
		if (a.Outcome == Refused) != test.refused || a.Cause == "" || strings.ContainsAny(a.Cause, ` "`) {
			t.Errorf("%s meets %d %s: %+v", test.matcher, test.status, test.body, a)
		}
	}
}

func TestMatchersThatCannotMatchAreErrors(t *testing.T) {
	for _, line := range []string{
		"", " ", `""`, `400 ""`, `" "`, "200 invalid_grant", "399", "099 x", "*", `400 "Bad Request`,
		"* ok", "OK", "* success", "Success revoked", "* false", "* 0", "0", "0000", "000", `400 "ok"`, `400 " OK "`, "400 0", "* " + strings.Repeat("x", 257),
	} {
		if _, err := newOver(Dialect{TerminalErrors: []string{line}}, asking.Connection{}, nil); err == nil || !strings.Contains(err.Error(), "terminal_errors") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// Fault A12.
func TestALifetimeCountsFromWhenTheTokenWasIssued(t *testing.T) {
	registry := Dialect{IssuedAtPath: "issued_at", AccessTokenPath: "token"}
	for name, test := range map[string]struct {
		issued, date string
		want         int
	}{
		"200 s ago":                         {"2026-11-23T11:56:40Z", "Mon, 23 Nov 2026 12:00:00 GMT", 100},
		"now":                               {"2026-11-23T12:00:00Z", "Mon, 23 Nov 2026 12:00:00 GMT", 300},
		"by a clock that is an hour behind": {"2026-11-23T10:58:20Z", "Mon, 23 Nov 2026 11:00:00 GMT", 200},
		"by a clock that is a year ahead":   {"2027-11-23T11:59:00Z", "Tue, 23 Nov 2027 12:00:00 GMT", 240},
		"in the future":                     {"2026-11-23T12:00:30Z", "Mon, 23 Nov 2026 12:00:00 GMT", 300},
		"longer ago than it lives":          {"2026-11-23T10:00:00Z", "Mon, 23 Nov 2026 12:00:00 GMT", 300},
		"at no time":                        {"yesterday", "Mon, 23 Nov 2026 12:00:00 GMT", 300},
	} {
		header := map[string][]string{"Date": {test.date}}
		a := ask(t, registry, Request{URL: answering(t, 200, header, `{"token":"A2","expires_in":300,"issued_at":"`+test.issued+`"}`)})
		if a.Outcome != Granted || int(a.ExpiresIn.Seconds()) != test.want {
			t.Errorf("issued %s: %s, want %d s", name, a.ExpiresIn, test.want)
		}
	}
}

// Fault A12. A token that a server hands out a second time is no fresh one, however its
// lifetime is written, and whichever clock is wrong.
func TestADateCountsByTheClockOfItsServer(t *testing.T) {
	const hour = 3600
	for name, test := range map[string]struct {
		server, exp, iat int // seconds after now; iat 1: none
		want             int
		remarked         bool
	}{
		"fresh":                            {0, hour, 0, hour, false},
		"handed out again":                 {0, 600, -3000, 600, false},
		"by a clock that is behind":        {-86400, -86400 + 600, -86400 - 3000, 600, false},
		"by a clock that is ahead":         {86400, 86400 + 600, 86400 - 3000, 600, false},
		"issued in the future":             {0, hour + 30, 30, hour, false},
		"over":                             {0, -60, -60 - hour, hour, true},
		"over, by two clocks":              {7200, -60, -60 - hour, hour, true},
		"without iat":                      {0, 600, 1, 600, false},
		"without iat, by a clock behind":   {-86400, -86400 + 600, 1, 600, false},
		"without iat, by a clock ahead":    {86400, 86400 + 600, 1, 600, false},
		"a Date that a cache made old":     {-hour, 600, -3000, 600, false},
		"without iat, a Date of yesterday": {-86400, 600, 1, 600, false},
	} {
		at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
		date := http.Header{"Date": {at(test.server).Format(http.TimeFormat)}}
		claims := fmt.Sprintf(`{"exp":%d,"iat":%d}`, at(test.exp).Unix(), at(test.iat).Unix())
		if test.iat == 1 {
			claims = fmt.Sprintf(`{"exp":%d}`, at(test.exp).Unix())
		}
		a := ask(t, Dialect{ExpiresFormat: "jwt"}, Request{URL: answering(t, 200, date, `{"access_token":"`+jwt(claims)+`"}`)})
		if a.Outcome != Granted || int(a.ExpiresIn.Seconds()) != test.want || (len(a.Remarks) > 0) != test.remarked {
			t.Errorf("%s: %+v", name, a)
		}
		if test.remarked && !strings.Contains(a.Remarks[0].Remedy, "clock") {
			t.Errorf("%s: remedy %q", name, a.Remarks[0].Remedy)
		}
		if test.exp-test.server < 0 || test.iat == 30 {
			continue // these formats say nothing of when it was issued
		}
		for format, expiry := range map[string]string{
			"unix": fmt.Sprint(at(test.exp).Unix()), "unix_ms": fmt.Sprint(at(test.exp).UnixMilli()), "rfc3339": fmt.Sprintf("%q", at(test.exp).Format(time.RFC3339)),
		} {
			a := ask(t, Dialect{ExpiresFormat: format}, Request{URL: answering(t, 200, date, `{"access_token":"A2","expires_in":`+expiry+`}`)})
			if a.Outcome != Granted || a.ExpiresDefaulted != "" || int(a.ExpiresIn.Seconds()) != test.want {
				t.Errorf("%s, %s: %+v", name, format, a)
			}
		}
	}
}
