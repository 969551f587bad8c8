package tokenendpoint

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
)

// Fault B7. Servers name the end of a grant in many ways.
func TestTheEndOfTheRefreshTokenIsRead(t *testing.T) {
	unix := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for members, want := range map[string]time.Duration{
		`"refresh_token_expires_in":60`:                           time.Minute,
		`"refresh_expires_in":60`:                                 time.Minute,
		`"x_refresh_token_expires_in":60`:                         time.Minute,
		`"refresh_token_expires_at":` + unix(time.Hour):           time.Hour,
		`"refresh_token_expires_at":"` + unix(time.Hour) + `"`:    time.Hour,
		`"refresh_token_expires_at":` + unix(time.Hour) + `000`:   time.Hour,
		`"refresh_token_expires_at":"2026-11-23T12:30:00Z"`:       30 * time.Minute,
		`"refresh_token_expires_in":"2026-11-23T13:30:00+01:00"`:  30 * time.Minute,
		`"refresh_token_expires_in":"8639999"`:                    8639999 * time.Second,
		`"refresh_token_expires_in":" 60 "`:                       time.Minute,
		`"refresh_token_expires_in":59.5`:                         59500 * time.Millisecond,
		`"refresh_token_expires_in":"","refresh_expires_in":60`:   time.Minute,
		`"refresh_expires_in":0`:                                  Endless,
		`"refresh_expires_in":"0"`:                                Endless,
		`"refresh_expires_in":999999999`:                          Endless, // in 31 years
		`"refresh_token_expires_at":` + unix(20*365*24*time.Hour): Endless,
		`"refresh_token_expires_at":"9999-12-31T23:59:59Z"`:       Endless,
		`"refresh_token_expires_at":` + unix(-time.Hour):          0,
		`"refresh_expires_in":-5`:                                 0,
		`"refresh_expires_in":"soon"`:                             0,
		`"refresh_expires_in":"NaN"`:                              0,
		`"refresh_expires_in":"Inf"`:                              0,
		`"refresh_expires_in":null`:                               0,
		`"refresh_expires_in":{}`:                                 0,
		`"ends":60`:                                               0,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":"R2",`+members+`}`)})
		if a.Outcome != Granted || a.RefreshTokenExpiresIn != want {
			t.Errorf("%s: %s, want %s", members, a.RefreshTokenExpiresIn, want)
		}
	}
}

func TestTheEndOfTheRefreshTokenIsWhereTheSettingSays(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`{"access_token":"A2","refresh_token":"R2","refresh":{"ttl":60},"refresh_expires_in":7}`: time.Minute,
		`{"access_token":"A2","refresh_token":"R2","ends":120}`:                                  2 * time.Minute,
		`{"access_token":"A2","refresh_token":"R2","refresh_expires_in":7}`:                      0,
	} {
		a := ask(t, Dialect{RefreshTokenExpiresPath: "refresh.ttl|ends"}, Request{URL: answering(t, 200, nil, body)})
		if a.RefreshTokenExpiresIn != want {
			t.Errorf("%s: %s, want %s", body, a.RefreshTokenExpiresIn, want)
		}
	}
	if _, err := newOver(Dialect{RefreshTokenExpiresPath: "$.ttl"}, asking.Connection{}, nil); err == nil {
		t.Error("a JSONPath is taken")
	}
}

// An answer may leave the refresh token as it is, and say how long it still lives.
func TestAnAnswerWithoutARefreshTokenMayNameTheEndOfThePresentOne(t *testing.T) {
	for members, want := range map[string]time.Duration{`"refresh_expires_in":60`: time.Minute, `"refresh_expires_in":0`: 0} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, `{"access_token":"A2",`+members+`}`)})
		if a.RefreshTokenExpiresIn != want {
			t.Errorf("%s: %s, want %s", members, a.RefreshTokenExpiresIn, want)
		}
	}
	a := ask(t, Dialect{IgnoreRefreshToken: true}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":"R2","refresh_expires_in":60}`)})
	if a.RefreshTokenExpiresIn != 0 {
		t.Errorf("of a refresh token that is ignored: %s", a.RefreshTokenExpiresIn)
	}
}

// Whichever clock is wrong, the grant is not taken to last longer than it does.
func TestTheTimeOfAnEndCountsByTheClockOfItsServer(t *testing.T) {
	behind := now.Add(-time.Hour)
	header := http.Header{"Date": {behind.Format(http.TimeFormat)}}
	body := `{"access_token":"A2","refresh_token":"R2","refresh_token_expires_at":` + strconv.FormatInt(behind.Add(30*time.Minute).Unix(), 10) + `}`
	a := ask(t, Dialect{}, Request{URL: answering(t, 200, header, body)})
	if a.RefreshTokenExpiresIn != 30*time.Minute {
		t.Errorf("%s, want 30m", a.RefreshTokenExpiresIn)
	}
}

// It was taken for a grant without an end, and nobody was told.
func TestAnEndThatIsNoneIsRemarked(t *testing.T) {
	for members, kind := range map[string]string{
		`"refresh_expires_in":"abc-xyzzy"`: "a text that names no time to come",
		`"refresh_expires_in":true`:        "true or false",
		`"refresh_expires_in":{"xyzzy":5}`: "an object",
		`"refresh_expires_in":[1,2]`:       "a list",
		`"refresh_expires_in":-5`:          "a number that names no time to come",
		`"refresh_expires_in":60`:          "",
		`"refresh_expires_in":0`:           "",
		`"refresh_expires_in":null`:        "",
		`"refresh_expires_in":""`:          "",
		`"refresh_expires_in":{},"refresh_token_expires_at":"2026-11-23T12:30:00Z"`: "",
		`"scope":"a"`: "",
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, `{"access_token":"A2","refresh_token":"R2","expires_in":60,`+members+`}`)})
		switch {
		case a.Outcome != Granted || len(a.Remarks) > 1 || (len(a.Remarks) == 1) != (kind != ""):
			t.Errorf("%s: outcome %d, remarks %q", members, a.Outcome, a.Remarks)
		case kind == "":
		case !strings.Contains(a.Remarks[0].Detail, "refresh_expires_in") || !strings.Contains(a.Remarks[0].Detail, "is "+kind+":") || strings.Contains(a.Remarks[0].Detail, "xyzzy"):
			t.Errorf("%s: remarks %q", members, a.Remarks)
		}
	}
}
