package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/authserver"
	"lamplighter/module/cause"
)

// wayTo tells ways apart that clients have in common.
type wayTo struct {
	server          *authserver.Server
	setting, origin string
}

// way asks a server once for all clients of one kind.
func (e *examination) way(setting, endpoint string) authserver.Way {
	server := e.client.Server()
	to := wayTo{server.Server, setting, originOf(endpoint)}
	e.mu.Lock()
	ask := e.ways[to]
	if ask == nil {
		ask = sync.OnceValue(func() authserver.Way {
			ctx, cancel := context.WithTimeout(e.ctx, min(patience, time.Duration(e.settings.Timeout)))
			defer cancel()
			return server.Way(ctx, setting, endpoint)
		})
		e.ways[to] = ask
	}
	e.mu.Unlock()
	return ask()
}

// authorizationServer goes the way to it.
func (e *examination) authorizationServer() {
	req, err := e.client.Server().Resolve(nil)
	if err != nil {
		e.sound = false
		e.skip("route", "the settings that lead there cannot be resolved")
		return
	}
	setting, endpoint := "token_endpoint", req.URL
	if endpoint == "" && e.settings.Issuer != "" {
		if !e.goTo("issuer", e.settings.Issuer) {
			e.sound = false
			e.skip("discovery", "the issuer was not reached")
			return
		}
		ctx, cancel := context.WithTimeout(e.ctx, patience)
		defer cancel()
		found, trouble, detail := e.client.Server().Discover(ctx)
		if detail != "" {
			e.sound = false
			e.add("discovery", adminapi.VerdictFailed, trouble.Name+": "+detail, trouble.Remedy)
			return
		}
		e.ok("discovery", "the issuer's metadata names the token endpoint "+found)
		if originOf(found) == originOf(e.settings.Issuer) {
			return
		}
		setting, endpoint = "issuer", found
	}
	if endpoint == "" {
		e.sound = false
		e.skip("route", "token_endpoint is empty, for what it names is not there")
		return
	}
	if !e.goTo(setting, endpoint) {
		e.sound = false
	}
}

// originOf is scheme and host of a URL, without which it is itself.
func originOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return endpoint
	}
	return u.Scheme + "://" + u.Host
}

// The steps of a way, in order.
var onTheWay = []string{"name_resolution", "route", "tls", "clock"}

// goTo tells how far a request came, and reports whether it was answered.
func (e *examination) goTo(setting, endpoint string) bool {
	w := e.way(setting, endpoint)
	if w.Detail == "" {
		e.nameAndRoute(w)
		e.tls(w, strings.HasPrefix(endpoint, "https:"))
		e.clock(w)
		return true
	}
	failed := stepOf(w, strings.HasPrefix(endpoint, "https:"))
	for i, step := range onTheWay {
		switch at := slices.Index(onTheWay, failed); {
		case i > at:
			e.skip(step, "not reached: see "+failed)
		case i == at:
			remedy := w.Trouble.Remedy
			if w.Asked && w.Trouble.Name == "no_answer" {
				remedy = "look at the server, and at gateways on the way: a request that asks for nothing (HEAD /) reached it, and was not answered"
			}
			e.add(step, adminapi.VerdictFailed, w.Trouble.Name+": "+w.Detail+sent(w.Sent), remedy)
		case step == "name_resolution":
			e.resolved(w)
		default:
			e.ok(step, reached(w))
		}
	}
	return false
}

// stepOf is the step that a trouble belongs to.
func stepOf(w authserver.Way, secure bool) string {
	name := w.Trouble.Name
	switch {
	case name == "host_not_found", name == "dns_failed":
		return "name_resolution"
	case w.Trouble.Source == cause.Proxy:
		return "route"
	case strings.Contains(name, "certificate"), slices.Contains([]string{"unknown_authority", "tls_refused", "http2_only", "not_tls", "https_expected"}, name):
		return "tls"
	case name == "connection_closed" && secure && w.Remote != "":
		return "tls"
	}
	return "route"
}

func (e *examination) nameAndRoute(w authserver.Way) {
	e.resolved(w)
	e.ok("route", reached(w)+fmt.Sprintf(", and the answer to HEAD / was %d", w.Status))
}

func (e *examination) resolved(w authserver.Way) {
	host := w.Host
	if bare, _, err := net.SplitHostPort(w.Host); err == nil {
		host = bare
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case w.Proxy != "":
		e.skip("name_resolution", host+" is looked up by the forward proxy "+w.Proxy)
	case err == nil:
		e.ok("name_resolution", host+" is an address")
	case len(w.Addresses) == 0:
		e.ok("name_resolution", host+" was connected to")
	default:
		e.ok("name_resolution", host+" is "+strings.Join(w.Addresses, ", "))
	}
}

func reached(w authserver.Way) string {
	if w.Proxy != "" {
		return "through the forward proxy " + w.Proxy + " to " + w.Host
	}
	if w.Host == w.Remote {
		return "connected to " + w.Host
	}
	return "connected to " + w.Host + " at " + w.Remote
}

// tls tells what was agreed on, and how long it holds.
func (e *examination) tls(w authserver.Way, secure bool) {
	if !secure || w.TLS == nil || len(w.TLS.PeerCertificates) == 0 {
		e.skip("tls", w.Host+" is asked over plain http")
		return
	}
	soonest := w.TLS.PeerCertificates[0]
	if len(w.TLS.VerifiedChains) > 0 {
		for _, certificate := range w.TLS.VerifiedChains[0] {
			if certificate.NotAfter.Before(soonest.NotAfter) {
				soonest = certificate
			}
		}
	}
	detail := fmt.Sprintf("%s; %s", tls.VersionName(w.TLS.Version), described(w.TLS.PeerCertificates[0]))
	if len(w.TLS.VerifiedChains) == 0 {
		e.add("tls", adminapi.VerdictWarning, detail+"; nobody checks it (insecure_skip_verify)", "use 'tls { trust_pool file <authority.pem> }' in the place of insecure_skip_verify")
		return
	}
	left := time.Until(soonest.NotAfter)
	if left < min(14*24*time.Hour, soonest.NotAfter.Sub(soonest.NotBefore)/10) {
		e.add("tls", adminapi.VerdictWarning, fmt.Sprintf("%s; in its chain %s ends in %s", detail, described(soonest), left.Round(time.Minute)), "the operator of "+w.Host+" must renew it before")
		return
	}
	e.ok("tls", detail)
}

// described names a certificate.
func described(c *x509.Certificate) string {
	return fmt.Sprintf("certificate of %s by %s, valid from %s until %s", nameOf(c), c.Issuer, c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
}

func nameOf(c *x509.Certificate) string {
	switch {
	case c.Subject.String() != "":
		return c.Subject.String()
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return "nobody"
}

// sent lists the certificates of a chain that is not trusted.
func sent(chain []*x509.Certificate) (text string) {
	const most = 5
	for i, certificate := range chain[:min(most, len(chain))] {
		text += fmt.Sprintf("; %d. of %d that it sent: %s", i+1, len(chain), described(certificate))
	}
	return text
}

// How far clocks may differ: a date says whole seconds, and servers forgive half a minute to
// a minute in what is signed.
const (
	clockOdd   = 30 * time.Second
	clockWrong = 5 * time.Minute
	clockSigns = time.Minute // for who signs times
)

// clock compares that of this machine with the server's.
func (e *examination) clock(w authserver.Way) {
	if !w.Dated {
		e.skip("clock", "the answer of "+w.Host+" has no date of its own")
		return
	}
	off, word := w.Ahead, "ahead of"
	if off < 0 {
		off, word = -off, "behind"
	}
	detail := fmt.Sprintf("the clock of this machine is %s %s that of %s", off.Round(time.Second), word, w.Host)
	const remedy = "set the clock of this machine by NTP ('timedatectl set-ntp true'); if it is right, that of the server is wrong, and its operator must know"
	switch signs := e.settings.PrivateKey != "" || strings.HasSuffix(e.settings.TokenEndpointAuthMethod, "_jwt"); {
	case off > clockWrong, signs && off > clockSigns:
		e.add("clock", adminapi.VerdictFailed, detail, remedy)
	case off > clockOdd:
		e.add("clock", adminapi.VerdictWarning, detail, remedy)
	default:
		e.ok("clock", detail)
	}
}
