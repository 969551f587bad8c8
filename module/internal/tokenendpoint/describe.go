package tokenendpoint

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// described adds to what an answer holds what it says: the outcome of one that
// grants nothing, and the words for people. Whatever fails here, a panic included,
// leaves what it holds as it is.
func (c *Client) described(held Answer, r *reading.Reply, secrets *redact.Secrets) (a Answer) {
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
func (c *Client) explain(a *Answer, r *reading.Reply, secrets *redact.Secrets) {
	if a.Outcome != Granted {
		a.Cause = ""
		e := answerErrorOf(r, c.dialect.ErrorPath)
		if e.code == "" && !r.Whole() {
			e = wrappedError(r, c.dialect.ErrorPath)
		}
		c.refuse(a, r, e, secrets)
		return
	}
	if a.ExpiresDefaulted != "" {
		a.ExpiresDefaulted += c.elsewhere(r, secrets)
	}
	if a.Unusable != "" && a.Cause == "" && fitsHeader(a.AccessToken) {
		a.Unusable = fmt.Sprintf("its token_type is %s, not Bearer; the setting inject says how to send it all the same", secrets.Quote(a.TokenType))
	}
}

// refuse sorts an answer that grants nothing.
func (c *Client) refuse(a *Answer, r *reading.Reply, e answerError, secrets *redact.Secrets) {
	success := r.Succeeded()
	a.Detail = fmt.Sprintf("the token endpoint answered %d", r.Status)
	switch {
	case e.code == "":
	case reading.IsCode(e.code) && !secrets.Reveals(e.code):
		a.Cause = e.code
		a.Detail += " " + e.code
	default:
		a.Cause = CauseRequestRejected
		a.Detail += " " + secrets.Quote(e.code)
	}
	switch {
	case e.description != "":
		a.Detail += " (" + secrets.Quote(e.description) + ")"
	case e.code == "" && !success && r.Form != reading.IsHTML && len(r.Body) > 0 && !labelled.Match(r.Body):
		a.Detail += " with " + secrets.Quote(string(r.Body[:min(len(r.Body), 1<<10)]))
	}

	set := func(outcome Outcome, cause, remark string) {
		a.Outcome = outcome
		if a.Cause == "" {
			a.Cause = cause
		}
		a.Detail += remark
	}
	switch {
	case e.isOfProof() && r.Status < 500: // before what may be said of the grant
		set(map[bool]Outcome{true: Unavailable, false: Misconfigured}[e.code == wantsNonce], "", "")
	case c.isTerminal(r.Status, e):
		set(Refused, CauseRequestRejected, "")
	case r.Status < 200:
		set(Unanswered, CauseNoAnswer, ", which is no status of an answer")
	case r.Status >= 300 && r.Status < 400:
		set(Unavailable, CauseRedirect, " with a redirect"+r.RedirectTarget(secrets)+", which is never followed: set token_endpoint to the address that answers")
	case r.Status == http.StatusTooManyRequests:
		set(Unavailable, CauseRateLimited, "")
	case r.Status >= 500, r.Status == http.StatusRequestTimeout, e.isTransient():
		set(Unavailable, CauseServerError, "")
	case r.Form == reading.IsHTML && e.code == "":
		set(Unavailable, CauseServerError, " with "+r.LooksLike())
	case r.Err != nil && success:
		set(Unanswered, CauseNoAnswer, ", but "+secrets.Text(asking.Reason(r.Err)))
	case r.Err != nil:
		set(Unavailable, CauseServerError, ", but "+secrets.Text(asking.Reason(r.Err)))
	case success && e.code != "":
		set(Misconfigured, "", c.missing(r, secrets))
	case success && len(r.Body) == 0:
		set(Unanswered, CauseNoAnswer, " with an empty body")
	case success && r.Tree == nil:
		set(Unanswered, CauseNoAnswer, " with a body that is neither JSON nor a form, but "+r.LooksLike())
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
func (c *Client) missing(r *reading.Reply, secrets *redact.Secrets) string {
	return fmt.Sprintf(" without an access token at %s; it holds %s", c.dialect.AccessTokenPath, secrets.Text(keysOf(r))) + c.elsewhere(r, secrets)
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

// maxCode bounds an error code, of which some servers make a sentence.
const maxCode = 256

// answerErrorOf reads the error of an answer, a code or an object that has one.
// Many APIs name one in a success too: zeros, the status 200, false and words of
// success are none.
func answerErrorOf(r *reading.Reply, path string) (e answerError) {
	messages := []string{"error_description|errmsg|message|msg|Error"}
	e.code = r.Find(path)
	for at := range strings.SplitSeq(path, "|") {
		if e.code == "" {
			e.code = r.Find(at + ".code|" + at + ".status|" + at + ".type")
		}
		messages = append(messages, at+".message")
	}
	e.description = r.Find(strings.Join(messages, "|"))
	e.code = strings.TrimSpace(e.code)
	if isNoError(e.code) || e.code == "200" && r.Status == http.StatusOK {
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
func wrappedError(r *reading.Reply, path string) (e answerError) {
	head := strings.ToLower(string(r.Body[:min(len(r.Body), 16)]))
	if r.Form == reading.IsXML || strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<?xml") {
		return e
	}
	for o := range reading.Objects(r.Body) {
		within := reading.Reply{Status: r.Status, Tree: o.Tree}
		if found := answerErrorOf(&within, path); o.Whole && found.code != "" {
			e = found
		}
	}
	return e
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

// keysOf names what a JSON answer holds at its top, for a message about what it
// does not hold. Whatever looks like anything but a name is left out.
func keysOf(r *reading.Reply) string {
	if r.Form == reading.IsForm {
		return "a form"
	}
	object, _ := r.Tree.(map[string]any)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(object)), func(name string) bool {
		return !reading.IsCode(name)
	})
	if len(names) == 0 {
		return "nothing with a name"
	}
	return strings.Join(names[:min(len(names), 12)], ", ")
}
