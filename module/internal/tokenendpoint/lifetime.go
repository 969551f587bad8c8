package tokenendpoint

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxLifetime is the longest lifetime that is believed.
const maxLifetime = 10 * 365 * 24 * time.Hour

// lifetime reads how long the access token lives, counted from sentAt. nonsense
// says why the default holds instead, "" if the answer told.
func (c *Client) lifetime(r *reply, accessToken string, sentAt time.Time) (d time.Duration, nonsense string) {
	if c.dialect.ExpiresFormat == "none" {
		return c.dialect.DefaultExpiresIn, ""
	}
	var ok bool
	what := c.dialect.ExpiresPath
	if c.dialect.ExpiresFormat == "jwt" {
		what = "the exp of the access token"
		d, ok = jwtLifetime(accessToken, sentAt)
	} else {
		text := strings.TrimSpace(r.find(c.dialect.ExpiresPath))
		if text == "" {
			if !c.knowsLifetime {
				nonsense = what + " is missing or empty"
			}
			return c.sinceIssued(r, c.dialect.DefaultExpiresIn), nonsense
		}
		d, ok = parseLifetime(text, c.dialect.ExpiresFormat, sentAt)
	}
	switch {
	case !ok:
		return c.dialect.DefaultExpiresIn, what + " is not in the format " + c.dialect.ExpiresFormat
	case d <= 0:
		return c.dialect.DefaultExpiresIn, what + " is not positive"
	case d > maxLifetime:
		return c.dialect.DefaultExpiresIn, what + " is longer than ten years"
	}
	return c.sinceIssued(r, d), ""
}

// sinceIssued returns what is left of the lifetime of a token that was issued
// earlier, as a server tells that hands it out again. Its age is counted by the
// server's own clock if the answer has a Date, so that it does not matter if that is
// wrong. An age that no token can have is none.
func (c *Client) sinceIssued(r *reply, lifetime time.Duration) time.Duration {
	if c.dialect.IssuedAtPath == "" {
		return lifetime
	}
	text := strings.TrimSpace(r.find(c.dialect.IssuedAtPath))
	issued, err := time.Parse(time.RFC3339, text)
	if seconds, notSeconds := strconv.ParseFloat(text, 64); notSeconds == nil {
		issued, err = time.UnixMilli(int64(min(max(seconds, 0), 1e11)*1000)), nil
	}
	answered, noDate := http.ParseTime(r.header.Get("Date"))
	if noDate != nil {
		answered = c.now()
	}
	age := answered.Sub(issued)
	if err != nil || age <= 0 || age >= lifetime {
		return lifetime
	}
	return lifetime - age
}

func parseLifetime(text, format string, sentAt time.Time) (time.Duration, bool) {
	switch format {
	case "rfc3339":
		at, err := time.Parse(time.RFC3339, text)
		return at.Sub(sentAt), err == nil
	case "duration":
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(number) {
		return 0, false
	}
	switch format {
	case "milliseconds":
		return seconds(number / 1000), true
	case "unix":
		return seconds(number - unix(sentAt)), true
	case "unix_ms":
		return seconds(number/1000 - unix(sentAt)), true
	}
	return seconds(number), true
}

// seconds converts without overflow: what is too long stays too long.
func seconds(s float64) time.Duration {
	limit := (2 * maxLifetime).Seconds()
	return time.Duration(min(max(s, -limit), limit) * float64(time.Second))
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// jwtLifetime reads exp, and iat if it is there, so that a server whose clock
// differs from ours does no harm (RFC 7519 section 4.1). The signature is the
// upstream's to check.
func jwtLifetime(token string, sentAt time.Time) (time.Duration, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return 0, false
	}
	var claims struct{ Exp, Iat *float64 }
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil {
		return 0, false
	}
	if claims.Iat != nil {
		return seconds(*claims.Exp - *claims.Iat), true
	}
	return seconds(*claims.Exp - unix(sentAt)), true
}

// refreshTokenLifetime reads the names that servers give to the lifetime of the
// refresh token itself.
func refreshTokenLifetime(r *reply) time.Duration {
	text := r.find("refresh_token_expires_in|refresh_expires_in|x_refresh_token_expires_in")
	d, ok := parseLifetime(text, "seconds", time.Time{})
	if !ok || d <= 0 || d > maxLifetime {
		return 0
	}
	return d
}
