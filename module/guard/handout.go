package guard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/cause"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
)

// Handout is the guard of a handler that hands tokens out. Whoever passes holds the token
// itself, and no `allow` says where it goes, so it asks more than [Guard]:
//
// - a request says that it wants a token: `Lamplighter-Token: yes`, or the caller secret in
// the place of `yes`. No form sends that, no link, and no server that was talked into
// fetching a URL (403). A page that rebinding lets in can: it is the Host that stops it;
// - a request that a proxy has passed on, as `Forwarded`, `X-Forwarded-*`, `Via` and what
// proxies and networks say the client's address in tell, comes from somebody else than its
// connection does (403);
// - a `Host` that is a name of another name system or of the local link, such as
// `erp.eth` or `erp.local`, may be rebinding, too (421);
// - a path with `.` or `..` in it, however that is encoded, is another one to whoever put a
// prefix before it than to the matcher that chooses the client (400).
//
// On a unix socket Host and Origin are not looked at: no browser gets there, and proxies
// send what their own callers sent. An abstract one (`unix/@name`) has no mode, and every
// user of the machine gets there, so that it needs a `caller_secret`.
type Handout struct {
	Guard

	// Accepts requests that say that they were passed on. It needs a `caller_secret`, or a
	// unix socket. Default: `false`.
	Forwarded bool `json:"forwarded,omitempty"`
}

// Marker is the header that says that a request wants a token.
const Marker = "Lamplighter-Token"

// Provision checks and compiles the settings, whose place in a Caddyfile is a directive.
func (h *Handout) Provision(ctx caddy.Context, directive string) error {
	h.block = directive
	if err := h.Guard.Provision(ctx); err != nil {
		return err
	}
	h.hosts.ours = true
	if err := h.checkListeners(ctx); err != nil {
		return placeholder.Located(h.DeclaredAt, err)
	}
	if h.Forwarded && h.CallerSecret == "" && !listensOnSocket(ctx) {
		return placeholder.Located(h.DeclaredAt, errors.New("forwarded: anybody can send what proxies add, so it needs a caller_secret, or a site with 'bind unix/<path>'"))
	}
	return nil
}

// Refusal says why a request is refused, and logs that; nil if it is not.
func (h *Handout) Refusal(r *http.Request) *problem.Problem {
	p := h.refusal(r)
	if p != nil {
		h.tell(r, p)
	}
	return p
}

func (h *Handout) refusal(r *http.Request) *problem.Problem {
	if strings.EqualFold(r.Method, http.MethodConnect) {
		return notAllowed("connect_refused", "token")
	}
	if p := Unfit(r); p != nil {
		return p
	}
	if unclean(r) {
		return problem.Refused(http.StatusBadRequest, cause.Of("target_refused", "path"))
	}
	abstract := overAbstractSocket(r)
	if !h.mayCall(r) || abstract && h.secret == nil {
		return problem.Refused(http.StatusForbidden, h.because("caller_refused"))
	}
	socket := overSocket(r) && !abstract
	if !socket {
		if p := h.astray(r); p != nil {
			return p
		}
	}
	if passedOn(r) && (!h.Forwarded || h.secret == nil && !socket) {
		return problem.Refused(http.StatusForbidden, cause.Of("forwarded_refused"))
	}
	return h.unasked(r)
}

// unasked refuses a request that does not say that it wants a token, or does not bring the
// secret.
func (h *Handout) unasked(r *http.Request) *problem.Problem {
	said := r.Header.Values(Marker)
	if len(said) != 1 || h.secret == nil && said[0] != "yes" {
		return problem.Refused(http.StatusForbidden, cause.Of("token_not_asked_for"))
	}
	if h.secret == nil {
		return nil
	}
	p := h.bringsSecret(r, said[0])
	if p != nil && p.Cause == "caller_unknown" {
		return problem.Refused(http.StatusForbidden, cause.Of("caller_unknown", "token"))
	}
	return p
}

// bringsSecret refuses a request that does not: it says so in the place of yes, or in the
// headers that are for that.
func (h *Handout) bringsSecret(r *http.Request, said string) *problem.Problem {
	if said == "yes" {
		return h.secret.refusal(r, h.refused)
	}
	secret, p := h.secret.read(h.refused)
	if p != nil {
		return p
	}
	if !secret.is(said) {
		return problem.Refused(http.StatusForbidden, cause.Of("caller_unknown"))
	}
	secret.takeOut(r.Header)
	return nil
}
