package tokenendpoint

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/redact"
)

// described adds to what an answer holds what it says: the outcome of one that
// grants nothing, and the words for people. Whatever fails here, a panic included,
// leaves what it holds as it is.
func (c *Client) described(held Answer, r *reply, secrets *redact.Secrets) (a Answer) {
	defer func() {
		if recover() != nil {
			a = held
		}
	}()
	a = held
	c.describe(&a, r, secrets)
	return a
}

// explain describes an answer.
func (c *Client) explain(a *Answer, r *reply, secrets *redact.Secrets) {
	if a.Outcome != Granted {
		a.Cause = ""
		e := r.answerError(c.dialect.ErrorPath)
		if e.code == "" && !r.whole() {
			e = r.wrappedError(c.dialect.ErrorPath)
		}
		c.refuse(a, r, e, secrets)
		return
	}
	if a.ExpiresDefaulted != "" {
		a.ExpiresDefaulted += c.elsewhere(r, secrets)
	}
	if a.Unusable != "" && fitsHeader(a.AccessToken) {
		a.Unusable = fmt.Sprintf("its token_type is %s, not Bearer; the setting inject says how to send it all the same", secrets.Quote(a.TokenType))
	}
}

// refuse sorts an answer that grants nothing.
func (c *Client) refuse(a *Answer, r *reply, e answerError, secrets *redact.Secrets) {
	success := r.succeeded()
	a.Detail = fmt.Sprintf("the token endpoint answered %d", r.status)
	switch {
	case e.code == "":
	case isCode(e.code) && !secrets.Reveals(e.code):
		a.Cause = e.code
		a.Detail += " " + e.code
	default:
		a.Cause = CauseRequestRejected
		a.Detail += " " + secrets.Quote(e.code)
	}
	switch {
	case e.description != "":
		a.Detail += " (" + secrets.Quote(e.description) + ")"
	case e.code == "" && !success && r.form != isHTML && len(r.body) > 0 && !labelled.Match(r.body):
		a.Detail += " with " + secrets.Quote(string(r.body[:min(len(r.body), 1<<10)]))
	}

	set := func(outcome Outcome, cause, remark string) {
		a.Outcome = outcome
		if a.Cause == "" {
			a.Cause = cause
		}
		a.Detail += remark
	}
	switch {
	case c.isTerminal(r.status, e):
		set(Refused, CauseRequestRejected, "")
	case r.status < 200:
		set(Unanswered, CauseNoAnswer, ", which is no status of an answer")
	case r.status >= 300 && r.status < 400:
		set(Unavailable, CauseRedirect, " with a redirect"+redirectTarget(r.header, secrets)+", which is never followed: set token_endpoint to the address that answers")
	case r.status == http.StatusTooManyRequests:
		set(Unavailable, CauseRateLimited, "")
	case r.status >= 500, r.status == http.StatusRequestTimeout, e.isTransient():
		set(Unavailable, CauseServerError, "")
	case r.form == isHTML && e.code == "":
		set(Unavailable, CauseServerError, " with "+r.looksLike())
	case r.err != nil && success:
		set(Unanswered, CauseNoAnswer, ", but "+secrets.Text(reason(r.err)))
	case r.err != nil:
		set(Unavailable, CauseServerError, ", but "+secrets.Text(reason(r.err)))
	case success && e.code != "":
		set(Misconfigured, "", c.missing(r, secrets))
	case success && len(r.body) == 0:
		set(Unanswered, CauseNoAnswer, " with an empty body")
	case success && r.tree == nil:
		set(Unanswered, CauseNoAnswer, " with a body that is neither JSON nor a form, but "+r.looksLike())
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
	return fmt.Sprintf(" without an access token at %s; it holds %s", c.dialect.AccessTokenPath, secrets.Text(r.keys())) + c.elsewhere(r, secrets)
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

// isCode reports whether an error code is fit to be a cause, which is a label of
// metrics too.
func isCode(s string) bool { return code.MatchString(s) }

// maxCode bounds an error code, of which some servers make a sentence.
const maxCode = 256

// answerError reads the error of an answer, a code or an object that has one.
// Many APIs name one in a success too: zeros, the status 200, false and words of
// success are none.
func (r *reply) answerError(path string) (e answerError) {
	messages := []string{"error_description|errmsg|message|msg|Error"}
	e.code = r.find(path)
	for at := range strings.SplitSeq(path, "|") {
		if e.code == "" {
			e.code = r.find(at + ".code|" + at + ".status|" + at + ".type")
		}
		messages = append(messages, at+".message")
	}
	e.description = r.find(strings.Join(messages, "|"))
	e.code = strings.TrimSpace(e.code)
	if isNoError(e.code) || e.code == "200" && r.status == http.StatusOK {
		e.code = ""
	}
	return e
}

// isNoError recognises what stands in the place of an error code when there is none:
// words of success, zeros, and what is no code.
func isNoError(code string) bool {
	switch strings.ToLower(code) {
	case "false", "ok", "success":
		return true
	}
	return len(code) > maxCode || strings.Trim(code, "0") == ""
}

// wrappedError reads the error of an answer around which a server's runtime has
// written something, such as a warning: of the last whole object that names one. A
// page of HTML is somebody else's.
func (r *reply) wrappedError(path string) (e answerError) {
	head := strings.ToLower(string(r.body[:min(len(r.body), 16)]))
	if r.form == isXML || strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<?xml") {
		return e
	}
	for o := range objects(r.body) {
		within := reply{status: r.status, tree: o.tree}
		if found := within.answerError(path); o.whole && found.code != "" {
			e = found
		}
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

// labelled finds what may be a token in words that nobody could read as an answer.
var labelled = regexp.MustCompile(`(?i)token\W{0,8}[:=]`)

// keys names what a JSON answer holds at its top, for a message about what it
// does not hold. Whatever looks like anything but a name is left out.
func (r *reply) keys() string {
	if r.form == isForm {
		return "a form"
	}
	object, _ := r.tree.(map[string]any)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(object)), func(name string) bool {
		return !isCode(name)
	})
	if len(names) == 0 {
		return "nothing with a name"
	}
	return strings.Join(names[:min(len(names), 12)], ", ")
}
