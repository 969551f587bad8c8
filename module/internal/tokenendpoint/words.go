package tokenendpoint

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// advised returns the answer with what to do about it. Whatever goes wrong with
// that, the answer stays.
func (c *Client) advised(described Answer, x *asking.Exchange, r *Request, body *reading.Reply) (a Answer) {
	defer func() {
		if recover() != nil {
			a = described
		}
	}()
	a = described
	c.advise(&a, x, r, body.Body)
	return a
}

// advise gives an answer that grants nothing its remedy, and a truer cause where
// the exchange tells one.
func (c *Client) advise(a *Answer, x *asking.Exchange, r *Request, body []byte) {
	if a.Outcome == Granted || a.Outcome == Refused {
		return
	}
	why, misdirected := x.Misdirected(a.Status, body)
	switch {
	case misdirected:
		a.Cause, a.Detail = why.Name, why.Sentence+": "+a.Detail
	case a.Status >= 300 && a.Status < 400:
		why = cause.Of(CauseRedirect).With()
	case r.ReadyAssertion != nil && saysReused(a):
		why = cause.Of(CauseAssertionReused).With("file", r.ReadyAssertion.Place)
		a.Cause = why.Name
	case a.ClientRefused:
		why = c.clientRefused(r)
	case a.Cause == invalidProof && r.Prover == nil:
		why = cause.Of(invalidProof, "none").With()
	case known(a.Cause):
		why = cause.Of(a.Cause).With("setting", cmp.Or(r.Setting, "token_endpoint"))
	case a.Outcome == Misconfigured:
		why = cause.Code("configuration").With()
	default:
		why = cause.Code("transient").With()
	}
	a.Remedy, a.Passes = why.Remedy, why.Passes
	if c.mayBeDead(a, r) {
		a.DeadGrant = c.terminalLines(a)
	}
}

// known reports whether a cause is in the table, and not a code of the server's.
func known(name string) bool {
	return slices.ContainsFunc(cause.Causes(), func(c cause.Cause) bool { return c.Name == name && c.Case == "" })
}

// clientRefused looks for what is conspicuous about how the client authenticates.
// Nothing of a secret is told but its form.
func (c *Client) clientRefused(r *Request) cause.Cause {
	const name = "invalid_client"
	method := c.dialect.AuthMethod
	for _, s := range []struct{ setting, value string }{{"client_id", r.ClientID}, {"client_secret", r.ClientSecret}} {
		secret := s.setting == "client_secret"
		if secret && !strings.HasPrefix(method, "client_secret") || !secret && s.value == "" && r.ReadyAssertion != nil {
			continue
		}
		switch {
		case s.value == "":
			return cause.Of(name, "empty").With("setting", s.setting)
		case strings.HasPrefix(s.value, "\ufeff"):
			return cause.Of(name, "mark").With("setting", s.setting)
		case inQuotes(s.value):
			return cause.Of(name, "quoted").With("setting", s.setting)
		case strings.TrimSpace(s.value) != s.value:
			return cause.Of(name, "spaces").With("setting", s.setting)
		}
	}
	if r.ReadyAssertion != nil {
		return cause.Of(name, "assertion").With("file", r.ReadyAssertion.Place)
	}
	if methods := usableMethods(r.AuthMethodsSupported); len(methods) > 0 && !slices.Contains(r.AuthMethodsSupported, method) {
		return cause.Of(name, "method").With("method", strings.Join(methods, " or "))
	}
	if method == "client_secret_basic" && (url.QueryEscape(r.ClientID) != r.ClientID || url.QueryEscape(r.ClientSecret) != r.ClientSecret) {
		other := "raw"
		if c.dialect.BasicEncoding == "raw" {
			other = "form"
		}
		return cause.Of(name, "encoding").With("method", other)
	}
	if plain, err := url.PathUnescape(r.ClientSecret); err == nil && plain != r.ClientSecret {
		return cause.Of(name, "escaped").With("setting", "client_secret")
	}
	if method == "none" {
		return cause.Of(name, "public").With()
	}
	return cause.Of(name).With()
}

// inQuotes reports whether a value stands in quotation marks, as in a file that was written for a
// shell.
func inQuotes(value string) bool {
	last := len(value) - 1
	return last > 0 && value[0] == value[last] && (value[0] == '"' || value[0] == '\'')
}

// usableMethods are those of a server's metadata that a client may be set to.
func usableMethods(supported []string) []string {
	var usable []string
	for _, method := range authMethods {
		if slices.Contains(supported, method) {
			usable = append(usable, method)
		}
	}
	return usable
}

// mayBeDead reports whether an answer is of the kind with which servers refuse a
// dead refresh token without saying so.
func (c *Client) mayBeDead(a *Answer, r *Request) bool {
	if a.Outcome != Misconfigured || a.ClientRefused || r.RefreshToken == "" {
		return false
	}
	switch a.Cause {
	case "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target", CauseInvalidRequest, "proxy_auth_required", "https_expected", invalidProof:
		return false
	case CauseRequestRejected: // no code: other statuses are of gateways, or of other addresses
		return a.Status == http.StatusBadRequest || a.Status == http.StatusUnauthorized
	}
	return true
}

// terminalLines are the lines that let such an answer count as a refusal: those that
// hold already, and the one that is missing.
func (c *Client) terminalLines(a *Answer) string {
	missing := fmt.Sprint(a.Status)
	if a.Status < http.StatusBadRequest {
		missing = "" // an error in a success: the code alone
	}
	switch {
	case a.Cause == CauseRequestRejected:
	case strings.ContainsAny(a.Cause, " \t"):
		missing += " " + redact.Quote(a.Cause)
	default:
		missing += " " + a.Cause
	}
	lines := append(slices.Clone(c.dialect.TerminalErrors), strings.TrimSpace(missing))
	for i, line := range lines {
		lines[i] = "'terminal_errors " + line + "'"
	}
	return strings.Join(lines, " and ")
}
