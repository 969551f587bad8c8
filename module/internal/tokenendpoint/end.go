package tokenendpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/tokenendpoint/reading"
)

// holdEnd fills in how long the refresh token lives. An answer without one may say
// how long the present one still does.
func (c *Client) holdEnd(a *Answer, r *reading.Reply) {
	if c.dialect.IgnoreRefreshToken {
		return
	}
	d := readEnd(strings.TrimSpace(r.Find(c.dialect.RefreshTokenExpiresPath)), a, r)
	if member, kind := kindOf(r, c.dialect.RefreshTokenExpiresPath); d == 0 && kind != "" {
		a.remark(fmt.Sprintf("%s is to say when the refresh token ends, and is %s: the answer is taken to name no end", member, kind),
			"name the member that does with refresh_token_expires_path, or set refresh_token_expires_in")
	}
	if d > 0 || a.RefreshToken != "" { // 0 beside no refresh token is about none
		a.RefreshTokenExpiresIn = d
	}
}

// kindOf returns which alternative of a path holds something that is to be a moment or a
// number of seconds, and what that is, in words: its text may be anything.
func kindOf(r *reading.Reply, path string) (member, kind string) {
	for member := range strings.SplitSeq(path, "|") {
		member = strings.TrimSpace(member)
		switch value := r.Value(member).(type) {
		case bool:
			return member, "true or false"
		case map[string]any:
			return member, "an object"
		case []any:
			return member, "a list"
		case json.Number:
			return member, "a number that names no time to come"
		case string:
			if strings.TrimSpace(value) != "" {
				return member, "a text that names no time to come"
			}
		}
	}
	return "", ""
}

// Numbers from these on are no seconds: nobody grants 30 years, nor 3,000.
const (
	timeFrom   = 1e9  // Unix time, in seconds
	millisFrom = 1e11 // … in milliseconds
)

// readEnd reads when a refresh token ends: after so many seconds, or at a time, as
// a number or as RFC 3339. 0 is no end, and so is what is longer than anybody
// believes. It returns 0 for nonsense, and for a time that is over.
func readEnd(text string, a *Answer, r *reading.Reply) time.Duration {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return bounded(until(at, a, r))
	}
	number, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil, math.IsNaN(number), math.IsInf(number, 0):
		return 0
	case number == 0:
		return Endless
	case number >= millisFrom:
		return bounded(until(timeOf(number/1000), a, r))
	case number >= timeFrom:
		return bounded(until(timeOf(number), a, r))
	}
	return bounded(seconds(number))
}

// bounded returns a lifetime as an answer has it.
func bounded(d time.Duration) time.Duration {
	if d > maxLifetime {
		return Endless
	}
	return max(0, d)
}
