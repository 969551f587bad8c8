package module

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// origin is where a request goes: scheme, host and port, as RFC 6454 has it, and
// the name that the server must prove to have.
type origin struct {
	scheme string // http or https; of a forward proxy also socks5
	name   string // tls_server_name if there is one, else the host
	host   string // what is dialled
	port   string
	socket string // the path of a unix socket, in place of host and port
}

// tcpOrigin returns the origin of a host and port; a server name may be empty.
func tcpOrigin(scheme, host, port, serverName string) origin {
	o := origin{scheme: scheme, host: plainHost(host), port: port}
	o.name = o.host
	if scheme == "https" && serverName != "" {
		o.name = plainHost(serverName)
	}
	if o.port == "" {
		o.port = defaultPort(scheme)
	}
	return o
}

// String is the origin as an `allow` line names it.
func (o origin) String() string {
	if o.socket != "" {
		return "unix/" + o.socket
	}
	if o.port == defaultPort(o.scheme) {
		return o.scheme + "://" + bracketed(o.name)
	}
	return o.scheme + "://" + net.JoinHostPort(o.name, o.port)
}

// inTheClear reports whether others on the way could read the token.
func (o origin) inTheClear() bool {
	return o.scheme == "http" && o.socket == "" && !isLoopback(o.host)
}

// plainHost gives the spellings of one host the same form.
func plainHost(host string) string {
	host = strings.TrimRight(strings.ToLower(withoutBrackets(host)), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

func withoutBrackets(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			return inner
		}
	}
	return host
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func defaultPort(scheme string) string {
	switch scheme {
	case "https":
		return "443"
	case "socks5":
		return "1080"
	}
	return "80"
}

// originRule is a compiled value of `allow`.
type originRule struct {
	scheme  string
	name    string       // one host,
	suffix  string       // or every host that ends so,
	network netip.Prefix // or every address in a network,
	socket  string       // or one unix socket
	port    string       // empty for any
}

// parseOriginRule reads a value of `allow`. Errors do not repeat it.
func parseOriginRule(text string) (originRule, error) {
	if network, path, ok := strings.Cut(text, "/"); ok && (network == "unix" || network == "unix+h2c") {
		switch {
		case path == "":
			return originRule{}, errors.New("the path of the socket is missing: 'unix//run/api.sock'")
		case strings.ContainsAny(path, "*?"):
			return originRule{}, errors.New("a socket is allowed by its whole path, as in 'unix//run/api.sock': * and ? stand for nothing in it")
		}
		return originRule{socket: path}, nil
	}
	r := originRule{scheme: "https"}
	rest := text
	if scheme, after, found := strings.Cut(text, "://"); found {
		switch scheme {
		case "https":
		case "http", "h2c":
			r.scheme = "http"
		case "socks5", "socks5h":
			r.scheme = "socks5"
		default:
			return originRule{}, errors.New("its scheme must be https or http, or socks5 for a forward proxy")
		}
		rest = strings.TrimSuffix(after, "/")
	}
	if base, bits, found := strings.Cut(rest, "/"); found {
		return r.withNetwork(base, bits)
	}
	return r.withHost(rest)
}

// withNetwork reads what stands around the slash of 10.0.0.0/8 or 10.0.0.0/8:8443.
func (r originRule) withNetwork(base, bits string) (originRule, error) {
	bits, port, hasPort := strings.Cut(bits, ":")
	network, err := parsePrefix(withoutBrackets(base) + "/" + bits)
	if r.scheme == "socks5" {
		return originRule{}, errors.New("a forward proxy is allowed by its name or address: no network stands for it")
	}
	if err != nil {
		return originRule{}, errors.New("it is neither an origin such as https://api.example.com nor a network such as 10.0.0.0/8; an origin has no path")
	}
	if network.Bits() == 0 {
		return originRule{}, errors.New("it is the whole internet: a token must not go just anywhere")
	}
	r.network = network
	if hasPort {
		return r.withPort(port)
	}
	return r, nil
}

func (r originRule) withHost(text string) (originRule, error) {
	host, port := text, defaultPort(r.scheme)
	if before, after, err := net.SplitHostPort(text); err == nil {
		host, port = before, after
	}
	host = plainHost(host)
	if domain, found := strings.CutPrefix(host, "*."); found {
		if _, err := netip.ParseAddr(domain); err == nil {
			return originRule{}, errors.New("no name is below an address: write a network, as in 10.0.0.0/8")
		}
		if r.scheme == "socks5" {
			return originRule{}, errors.New("a forward proxy is allowed by its name or address: * stands for none")
		}
		if anybodys(domain) {
			return originRule{}, errors.New("anybody can have a name there: name the domain that is yours, as in https://*.example.com")
		}
		r.suffix = "." + domain
		host = domain
	} else {
		r.name = host
	}
	if !isHostname(host) {
		return originRule{}, errors.New("it is not an origin such as https://api.example.com or https://10.0.0.7:8443")
	}
	return r.withPort(port)
}

func (r originRule) withPort(port string) (originRule, error) {
	if port == "*" {
		return r, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return originRule{}, errors.New("its port must be a number, or * for every port")
	}
	r.port = port
	return r, nil
}

// anybodys reports whether names below a domain are given to everybody: by a
// registry, or by whoever lets customers have one, as github.io does.
func anybodys(domain string) bool {
	suffix, icann := publicsuffix.PublicSuffix("a.a." + domain)
	if !icann && !strings.Contains(suffix, ".") {
		return false // a domain that no list knows, as internal is
	}
	return domain == "" || suffix == domain || strings.HasSuffix(suffix, "."+domain)
}

// parsePrefix reads an address or a network. One of IPv4 addresses that are written
// as IPv6 is a network of IPv4 addresses.
func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = addr.Unmap().WithZone("")
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !prefix.Addr().Is4In6() {
		return prefix.Masked(), err
	}
	if prefix.Bits() < 96 {
		return netip.Prefix{}, errors.New("it is neither a network of IPv4 nor of IPv6")
	}
	return prefix.Addr().Unmap().Prefix(prefix.Bits() - 96)
}

// isHostname reports whether a text can only be the name or address of a host. It
// is generous: underscores and other scripts are in use.
func isHostname(host string) bool {
	empty := true
	for _, r := range host {
		switch {
		case r == '.' && empty:
			return false
		case r == '.':
			empty = true
			continue
		case !isLabelRune(r):
			_, err := netip.ParseAddr(host)
			return err == nil
		}
		empty = false
	}
	return !empty
}

func isLabelRune(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// matches reports whether the rule covers an origin.
func (r originRule) matches(o origin) bool {
	if r.socket != "" || o.socket != "" {
		return r.socket == o.socket
	}
	if r.scheme != o.scheme || (r.port != "" && r.port != o.port) {
		return false
	}
	if r.network.IsValid() {
		addr, err := netip.ParseAddr(o.host)
		return err == nil && r.network.Contains(addr.WithZone(""))
	}
	return r.suffix != "" && strings.HasSuffix(o.name, r.suffix) || r.name != "" && r.name == o.name
}

// compileAllow compiles the values of `allow`. Placeholders are resolved, unless
// this is about what is wrong with any environment.
func compileAllow(list []string, resolve bool) ([]originRule, error) {
	rules := make([]originRule, 0, len(list))
	for _, text := range list {
		if strings.Contains(text, "{") {
			if !resolve {
				continue
			}
			var r resolver
			if text = r.value("allow", text); r.err != nil {
				return nil, r.err
			}
		}
		rule, err := parseOriginRule(text)
		if err != nil {
			if strings.Contains(text, "@") {
				text = "…" // it may hold a password
			}
			return nil, fmt.Errorf("allow %s: %w", text, err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}
