package target

import (
	"net"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PlainHost gives the spellings of one host the same form.
func PlainHost(host string) string {
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

// DefaultPort is the port of a scheme where none is named.
func DefaultPort(scheme string) string {
	switch scheme {
	case "https":
		return "443"
	case "socks5":
		return "1080"
	}
	return "80"
}

// IsHostname reports whether a text can only be the name or address of a host. It
// is generous: underscores and other scripts are in use.
func IsHostname(host string) bool {
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

// IsLoopback reports whether a host is this machine, whatever a resolver says (RFC
// 6761 section 6.3).
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
