package tokenendpoint

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/tokenendpoint/reading"
)

// maxLifetime is the longest lifetime that is believed.
const maxLifetime = 10 * 365 * 24 * time.Hour

// lifetime reads how long the access token lives, counted from sentAt. nonsense
// says why the default holds instead, "" if the answer told.
func (c *Client) lifetime(a *Answer, r *reading.Reply) (d time.Duration, nonsense string) {
	if c.dialect.ExpiresFormat == "none" {
		return c.dialect.DefaultExpiresIn, ""
	}
	if c.dialect.ExpiresFormat == "jwt" {
		return c.jwtLifetime(a, r)
	}
	what := c.dialect.ExpiresPath
	text := strings.TrimSpace(r.Find(what))
	if text == "" {
		if !c.knowsLifetime {
			nonsense = what + " is missing or empty"
		}
		return c.sinceIssued(a, r, c.dialect.DefaultExpiresIn), nonsense
	}
	d, ok := c.parseLifetime(a, r, text)
	if nonsense = absurd(d, ok, c.dialect.ExpiresFormat); nonsense != "" {
		return c.dialect.DefaultExpiresIn, what + nonsense
	}
	return c.sinceIssued(a, r, d), ""
}

// absurd says what is wrong with a lifetime, "" if it may be one.
func absurd(d time.Duration, ok bool, format string) string {
	switch {
	case !ok:
		return " is not in the format " + format
	case d <= 0 && isTime(format):
		return " is in the past, by the clock of this machine and by the date of the answer, if it has one: one of the clocks is wrong, or expires_format is not " + format
	case d <= 0:
		return " is not positive"
	case d > maxLifetime:
		return " is longer than ten years"
	}
	return ""
}

// isTime reports whether a format is that of a time, rather than of a duration.
func isTime(format string) bool {
	return format == "unix" || format == "unix_ms" || format == "rfc3339"
}

// until returns how long it is until a time that a server names, counted from
// SentAt: by its own clock if the answer has a Date, or by ours, whichever leaves
// less, if it leaves anything. So neither harms that is wrong, nor an old Date.
func until(at time.Time, a *Answer, r *reading.Reply) time.Duration {
	left := at.Sub(a.SentAt)
	if answered, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		if there := at.Sub(answered); left <= 0 || there > 0 && there < left {
			left = there
		}
	}
	return left
}

// remaining returns what is left of the lifetime of a token that may have been
// issued earlier, as when a server hands it out again. An age that no token can have
// is none.
func remaining(lifetime time.Duration, issued time.Time, a *Answer, r *reading.Reply) time.Duration {
	left := until(issued.Add(lifetime), a, r)
	if left <= 0 {
		a.remark("by its own dates the access token had expired when it came; the clock of the server or of this machine is wrong, or the server hands out old tokens",
			"correct the clock that is wrong, or have the server issue a token at each request")
		return lifetime
	}
	return min(left, lifetime)
}

// sinceIssued lets a lifetime count from where IssuedAtPath says, if it does.
func (c *Client) sinceIssued(a *Answer, r *reading.Reply, lifetime time.Duration) time.Duration {
	if c.dialect.IssuedAtPath == "" {
		return lifetime
	}
	text := strings.TrimSpace(r.Find(c.dialect.IssuedAtPath))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return remaining(lifetime, timeOf(seconds), a, r)
	}
	if issued, err := time.Parse(time.RFC3339, text); err == nil {
		return remaining(lifetime, issued, a, r)
	}
	return lifetime
}

func (c *Client) parseLifetime(a *Answer, r *reading.Reply, text string) (time.Duration, bool) {
	switch c.dialect.ExpiresFormat {
	case "rfc3339":
		at, err := time.Parse(time.RFC3339, text)
		return until(at, a, r), err == nil
	case "duration":
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(number) {
		return 0, false
	}
	switch c.dialect.ExpiresFormat {
	case "milliseconds":
		return seconds(number / 1000), true
	case "unix":
		return until(timeOf(number), a, r), true
	case "unix_ms":
		return until(timeOf(number/1000), a, r), true
	}
	return seconds(number), true
}

// seconds converts without overflow: what is too long stays too long.
func seconds(s float64) time.Duration {
	limit := (2 * maxLifetime).Seconds()
	return time.Duration(min(max(s, -limit), limit) * float64(time.Second))
}

// timeOf converts seconds since 1970 likewise: no year is beyond 4 digits.
func timeOf(s float64) time.Time {
	if math.IsNaN(s) {
		s = 0
	}
	return time.UnixMilli(int64(min(max(s, 0), 2e11) * 1000))
}

// jwtLifetime reads exp, and iat if it is there, which says how long the token lives
// at most, and when it is that its server hands out a second time (RFC 7519 section
// 4.1). The signature is the upstream's to check.
func (c *Client) jwtLifetime(a *Answer, r *reading.Reply) (time.Duration, string) {
	const what = "the exp of the access token"
	exp, iat, ok := jwtDates(a.AccessToken)
	switch {
	case !ok:
		return c.dialect.DefaultExpiresIn, what + absurd(0, false, "jwt")
	case iat == nil:
		d := until(timeOf(exp), a, r)
		if nonsense := absurd(d, true, ""); nonsense != "" {
			return c.dialect.DefaultExpiresIn, what + nonsense
		}
		return d, ""
	}
	d := seconds(exp - *iat)
	if nonsense := absurd(d, true, ""); nonsense != "" {
		return c.dialect.DefaultExpiresIn, what + nonsense
	}
	return remaining(d, timeOf(*iat), a, r), ""
}

func jwtDates(token string) (exp float64, iat *float64, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0, nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return 0, nil, false
	}
	var claims struct{ Exp, Iat *float64 }
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil {
		return 0, nil, false
	}
	return *claims.Exp, claims.Iat, true
}
