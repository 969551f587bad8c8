package caddyfile

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// site is an address of a site, as it is written.
type site struct{ address, declaredAt string }

// warnOfHTTPS warns, once for each of them, of the addresses of the site that a directive is in
// if Caddy serves them over HTTPS though nobody asked for that, with a certificate of its own
// authority, or without one where a name has no dot: what sends its requests there speaks plain
// HTTP, or does not trust that authority. In JSON nothing says whether a scheme was written, so that this is known only here.
func warnOfHTTPS(h httpcaddyfile.Helper, client string) {
	if len(os.Args) < 2 || !slices.Contains([]string{"validate", "adapt", "run", "reload"}, os.Args[1]) {
		return // who only looks for something in the configuration
	}
	for _, s := range httpsByAccident(h) {
		if _, told := warnedOfHTTPS.LoadOrStore(s, true); told {
			continue
		}
		caddy.Log().Named("oauth2_client").Warn(
			fmt.Sprintf("the site %[1]s is served over HTTPS, because its address has no scheme, and no public authority vouches for its name: an application that speaks plain HTTP, or does not trust Caddy's own authority, gets nothing from it; write 'http://%[1]s', or 'https://%[1]s' if HTTPS is meant", s.address),
			zap.String("client", client), zap.String("declared_at", s.declaredAt))
	}
}

// warnedOfHTTPS are those that were told of: a configuration is adapted more than once.
var warnedOfHTTPS sync.Map

// httpsByAccident are the addresses of the site that a directive is in that have no scheme, no
// port that says which one is meant, and no name for which the public could vouch. A directive
// tls asks for HTTPS, and so do global options about certificates.
func httpsByAccident(h httpcaddyfile.Helper) (found []site) {
	automatic, _ := h.Option("auto_https").([]string)
	if h.IsNamedRoute() || slices.Contains(automatic, "off") || slices.Contains(automatic, "disable_certs") {
		return nil
	}
	for _, about := range []string{"local_certs", "skip_install_trust", "pki", "acme_ca", "cert_issuer", "on_demand_tls", "tls_automate_names"} {
		if h.Option(about) != nil {
			return nil
		}
	}
	for _, s := range sitesOf(h) {
		address, err := httpcaddyfile.ParseAddress(s.address)
		if err == nil && address.Scheme == "" && !portSays(h, address.Port) && isLocal(address.Host) {
			found = append(found, s)
		}
	}
	return found
}

// isLocal reports whether no public authority vouches for a host. Caddy would ask one for a
// name without a dot, in vain.
func isLocal(host string) bool {
	return host != "" && !strings.ContainsAny(host, "{}") &&
		(!strings.Contains(host, ".") || !certmagic.SubjectQualifiesForPublicCert(host) || certmagic.SubjectIsIP(host))
}

// portSays reports whether a port says which scheme is meant.
func portSays(h httpcaddyfile.Helper, port string) bool {
	for option, usual := range map[string]int{"http_port": certmagic.HTTPPort, "https_port": certmagic.HTTPSPort} {
		if configured, ok := h.Option(option).(int); ok {
			usual = configured
		}
		if port == strconv.Itoa(usual) {
			return true
		}
	}
	return false
}

// sitesOf are the addresses of the site that a directive stands in, none if that has a
// directive tls, or if this version of Caddy keeps them elsewhere: only a warning is missed.
func sitesOf(h httpcaddyfile.Helper) (all []site) {
	block := member(reflect.ValueOf(h), "parentBlock", reflect.Struct)
	segments := member(block, "Segments", reflect.Slice)
	for i := range length(segments) {
		if length(segments.Index(i)) > 0 && text(segments.Index(i).Index(0)) == "tls" {
			return nil
		}
	}
	keys := member(block, "Keys", reflect.Slice)
	for i := range length(keys) {
		file, line := member(keys.Index(i), "File", reflect.String), member(keys.Index(i), "Line", reflect.Int)
		if file.IsValid() && line.IsValid() {
			all = append(all, site{text(keys.Index(i)), fmt.Sprintf("%s:%d", file.String(), line.Int())})
		}
	}
	return all
}

// text is that of a token.
func text(token reflect.Value) string {
	if t := member(token, "Text", reflect.String); t.IsValid() {
		return t.String()
	}
	return ""
}

// member is one of a structure, invalid if it has none of that kind.
func member(of reflect.Value, name string, kind reflect.Kind) reflect.Value {
	if of.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	if found := of.FieldByName(name); found.Kind() == kind {
		return found
	}
	return reflect.Value{}
}

// length is 0 for what is no list.
func length(list reflect.Value) int {
	if list.Kind() != reflect.Slice {
		return 0
	}
	return list.Len()
}
