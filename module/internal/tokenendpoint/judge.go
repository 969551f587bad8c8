package tokenendpoint

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/redact"
)

// judge sorts an answer. The refresh token comes first: whatever else is wrong
// with a success, the server has replaced the old one by then.
func (c *Client) judge(r *reply, sentAt time.Time, secrets *redact.Secrets) Answer {
	a := Answer{Status: r.status, SentAt: sentAt, RetryAfter: c.retryAfter(r.header)}
	success := r.succeeded() || c.issued(r)
	if success && !c.dialect.IgnoreRefreshToken {
		a.RefreshToken = r.find(c.dialect.RefreshTokenPath)
		if a.RefreshToken == "" {
			a.RefreshToken = r.salvage(c.dialect.RefreshTokenPath)
		}
		a.RefreshTokenExpiresIn = refreshTokenLifetime(r)
	}
	if success {
		a.AccessToken, a.IDToken = r.find(c.dialect.AccessTokenPath), r.find(c.dialect.IDTokenPath)
	}
	secrets.Add(a.RefreshToken, a.AccessToken, a.IDToken)

	// An answer that was cut off is good enough if what counts had arrived.
	whole := r.err == nil || c.dialect.IgnoreRefreshToken || a.RefreshToken != ""
	if success && whole && !r.html && a.AccessToken != "" {
		c.grant(&a, r, secrets)
		return a
	}
	a.AccessToken, a.IDToken = "", ""
	c.refuse(&a, r, r.answerError(c.dialect.ErrorPath), secrets)
	return a
}

// issued reports whether an answer that is no success by its status holds tokens
// all the same, and no error. One of them alone may be part of a message about
// what was wrong with the request.
func (c *Client) issued(r *reply) bool {
	return !c.dialect.IgnoreRefreshToken && r.answerError(c.dialect.ErrorPath).code == "" &&
		r.find(c.dialect.RefreshTokenPath) != "" && r.find(c.dialect.AccessTokenPath) != ""
}

// grant fills in the rest of a success.
func (c *Client) grant(a *Answer, r *reply, secrets *redact.Secrets) {
	a.Outcome = Granted
	a.ExpiresIn, a.ExpiresDefaulted = c.lifetime(r, a.AccessToken, a.SentAt)
	a.TokenType, a.Scope = r.text("token_type"), r.text("scope")
	a.Unusable = unusable(a.TokenType, a.AccessToken, secrets)
	for _, path := range c.dialect.ResponsePaths {
		if value := r.find(path); value != "" {
			if a.Response == nil {
				a.Response = map[string]string{}
			}
			a.Response[path] = value
		}
	}
}

// unusable says why a token must not be injected.
func unusable(tokenType, accessToken string, secrets *redact.Secrets) string {
	if tokenType != "" && !strings.EqualFold(tokenType, "Bearer") {
		return fmt.Sprintf("its token_type is %s, not Bearer", secrets.Quote(tokenType))
	}
	for i := range len(accessToken) {
		if accessToken[i] <= ' ' || accessToken[i] >= 0x7f {
			return "it holds characters that no header may hold"
		}
	}
	return ""
}

// refuse sorts an answer that grants nothing.
func (c *Client) refuse(a *Answer, r *reply, e answerError, secrets *redact.Secrets) {
	success := r.succeeded()
	answered := fmt.Sprintf("the token endpoint answered %d", r.status)
	if e.code != "" {
		a.Cause = e.code
		if secrets.Reveals(e.code) {
			a.Cause = CauseRequestRejected
		}
		answered += " " + a.Cause
	}
	if e.description != "" {
		answered += " (" + secrets.Quote(e.description) + ")"
	}
	a.Detail = answered

	set := func(outcome Outcome, cause, remark string) {
		a.Outcome = outcome
		if a.Cause == "" {
			a.Cause = cause
		}
		a.Detail += remark
	}
	switch {
	case e.code != "" && c.isTerminal(r.status, e):
		set(Refused, "", "")
	case r.status >= 300 && r.status < 400:
		set(Unavailable, CauseRedirect, " with a redirect"+redirectTarget(r.header, secrets)+", which is never followed: set token_endpoint to the address that answers")
	case r.status == http.StatusTooManyRequests:
		set(Unavailable, CauseRateLimited, "")
	case r.status >= 500, r.status == http.StatusRequestTimeout, e.isTransient():
		set(Unavailable, CauseServerError, "")
	case r.html:
		set(Unavailable, CauseServerError, " with an HTML page, as gateways do")
	case r.err != nil && success:
		set(Unanswered, CauseNoAnswer, ", but "+secrets.Text(reason(r.err)))
	case r.err != nil:
		set(Unavailable, CauseServerError, ", but "+secrets.Text(reason(r.err)))
	case success && e.code != "":
		set(Misconfigured, "", c.missing(r, secrets))
	case success && len(r.body) == 0:
		set(Unanswered, CauseNoAnswer, " with an empty body")
	case success && r.tree == nil:
		set(Unanswered, CauseNoAnswer, " with a body that is neither JSON nor a form")
	case success:
		set(Unavailable, CauseNoAccessToken, c.missing(r, secrets))
	default:
		set(Misconfigured, CauseRequestRejected, "")
	}
	// Only of an answer that says nothing about the grant: whoever tries another
	// credential presents the refresh token again.
	a.ClientRefused = a.Outcome == Misconfigured && (e.code == "invalid_client" || containsFold(e.description, "invalid client"))
}

// missing says where the access token was looked for, and what was there.
func (c *Client) missing(r *reply, secrets *redact.Secrets) string {
	return fmt.Sprintf(" without an access token at %s; it holds %s", c.dialect.AccessTokenPath, secrets.Text(r.keys()))
}

func (c *Client) isTerminal(status int, e answerError) bool {
	for _, m := range c.terminal {
		if m.matches(status, e) {
			return true
		}
	}
	return false
}

// answerError is the error that an answer names (RFC 6749 section 5.2).
type answerError struct{ code, description string }

// isTransient recognises the codes that say so (RFC 6749 section 4.1.2.1, RFC
// 8628 section 3.5; -1 is "system busy" of WeChat and WeCom).
func (e answerError) isTransient() bool {
	switch e.code {
	case "server_error", "temporarily_unavailable", "slow_down", "-1":
		return true
	}
	return false
}

var code = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

func isCode(s string) bool { return code.MatchString(s) }

// answerError reads the error of an answer, a code or an object that has one.
// Many APIs name one in a success too: zeros, the status 200, false and words of
// success are none.
func (r *reply) answerError(path string) (e answerError) {
	messages := []string{"error_description|errmsg|message|msg"}
	e.code = r.find(path)
	for at := range strings.SplitSeq(path, "|") {
		if e.code == "" {
			e.code = r.find(at + ".code|" + at + ".status|" + at + ".type")
		}
		messages = append(messages, at+".message")
	}
	e.description = r.find(strings.Join(messages, "|"))
	switch strings.ToLower(e.code) {
	case "false", "ok", "success":
		e.code = ""
	}
	if !isCode(e.code) || strings.Trim(e.code, "0") == "" || e.code == "200" && r.status == http.StatusOK {
		e.code = ""
	}
	return e
}

// redirectTarget names where a redirect points, without path and query.
func redirectTarget(h http.Header, secrets *redact.Secrets) string {
	to, err := url.Parse(h.Get("Location"))
	if err != nil || to.Host == "" {
		return ""
	}
	return " to " + secrets.Text(to.Scheme+"://"+to.Host)
}

// retryAfter reads Retry-After, in seconds or as a date (RFC 9110 section
// 10.2.3), capped at an hour.
func (c *Client) retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	var d time.Duration
	if s, err := strconv.ParseFloat(value, 64); err == nil && s == s {
		d = seconds(s)
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(c.now())
	}
	return min(max(d, 0), time.Hour)
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
