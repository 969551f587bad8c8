package target

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Rule is a compiled value of `allow`.
type Rule struct {
	scheme  string
	name    string       // one host,
	suffix  string       // or every host that ends so,
	network netip.Prefix // or every address in a network,
	socket  string       // or one unix socket
	port    string       // empty for any
}

// ParseRule reads a value of `allow`. Errors do not repeat it.
func ParseRule(text string) (Rule, error) {
	if network, path, ok := strings.Cut(text, "/"); ok && (network == "unix" || network == "unix+h2c") {
		switch {
		case path == "":
			return Rule{}, errors.New("the path of the socket is missing: 'unix//run/api.sock'")
		case strings.ContainsAny(path, "*?"):
			return Rule{}, errors.New("a socket is allowed by its whole path, as in 'unix//run/api.sock': * and ? stand for nothing in it")
		}
		return Rule{socket: path}, nil
	}
	r := Rule{scheme: "https"}
	rest := text
	if scheme, after, found := strings.Cut(text, "://"); found {
		switch scheme {
		case "https":
		case "http", "h2c":
			r.scheme = "http"
		case "socks5", "socks5h":
			r.scheme = "socks5"
		default:
			return Rule{}, errors.New("its scheme must be https or http, or socks5 for a forward proxy")
		}
		rest = strings.TrimSuffix(after, "/")
	}
	if base, bits, found := strings.Cut(rest, "/"); found {
		return r.withNetwork(base, bits)
	}
	return r.withHost(rest)
}

// withNetwork reads what stands around the slash of 10.0.0.0/8 or 10.0.0.0/8:8443.
func (r Rule) withNetwork(base, bits string) (Rule, error) {
	bits, port, hasPort := strings.Cut(bits, ":")
	network, err := ParsePrefix(withoutBrackets(base) + "/" + bits)
	if r.scheme == "socks5" {
		return Rule{}, errors.New("a forward proxy is allowed by its name or address: no network stands for it")
	}
	if err != nil {
		return Rule{}, errors.New("it is neither an origin such as https://api.example.com nor a network such as 10.0.0.0/8; an origin has no path")
	}
	if network.Bits() == 0 {
		return Rule{}, errors.New("it is the whole internet: a token must not go just anywhere")
	}
	r.network = network
	if hasPort {
		return r.withPort(port)
	}
	return r, nil
}

func (r Rule) withHost(text string) (Rule, error) {
	host, port := text, DefaultPort(r.scheme)
	if before, after, err := net.SplitHostPort(text); err == nil {
		host, port = before, after
	}
	host = PlainHost(host)
	if domain, found := strings.CutPrefix(host, "*."); found {
		if _, err := netip.ParseAddr(domain); err == nil {
			return Rule{}, errors.New("no name is below an address: write a network, as in 10.0.0.0/8")
		}
		if r.scheme == "socks5" {
			return Rule{}, errors.New("a forward proxy is allowed by its name or address: * stands for none")
		}
		if anybodys(domain) {
			return Rule{}, errors.New("anybody can have a name there: name the domain that is yours, as in https://*.example.com")
		}
		r.suffix = "." + domain
		host = domain
	} else {
		r.name = host
	}
	if !IsHostname(host) {
		return Rule{}, errors.New("it is not an origin such as https://api.example.com or https://10.0.0.7:8443")
	}
	return r.withPort(port)
}

func (r Rule) withPort(port string) (Rule, error) {
	if port == "*" {
		return r, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Rule{}, errors.New("its port must be a number, or * for every port")
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

// ParsePrefix reads an address or a network. One of IPv4 addresses that are written
// as IPv6 is a network of IPv4 addresses.
func ParsePrefix(text string) (netip.Prefix, error) {
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

// Matches reports whether the rule covers an origin.
func (r Rule) Matches(o Origin) bool {
	if r.socket != "" || o.Socket != "" {
		return r.socket == o.Socket
	}
	if r.scheme != o.Scheme || (r.port != "" && r.port != o.Port) {
		return false
	}
	if r.network.IsValid() {
		addr, err := netip.ParseAddr(o.Host)
		return err == nil && r.network.Contains(addr.WithZone(""))
	}
	return r.suffix != "" && strings.HasSuffix(o.Name, r.suffix) || r.name != "" && r.name == o.Name
}

// namesHost reports whether the rule stands for that one host.
func (r Rule) namesHost() bool { return r.name != "" }
