// Package target answers where a request goes, and whether a rule covers that: an
// [Origin] is scheme, host and port, a [Rule] one value of a client's `allow`. Hosts
// have one spelling.
//
// It knows names, addresses and public suffixes. It must not know requests, settings
// or Caddy.
package target

import (
	"net"
)

// Origin is where a request goes: scheme, host and port, as RFC 6454 has it, and
// the name that the server must prove to have.
type Origin struct {
	Scheme string // http or https; of a forward proxy also socks5
	Name   string // tls_server_name if there is one, else the host
	Host   string // what is dialled
	Port   string
	Socket string // the path of a unix socket, in place of host and port
}

// TCP returns the origin of a host and port; a server name may be empty.
func TCP(scheme, host, port, serverName string) Origin {
	o := Origin{Scheme: scheme, Host: PlainHost(host), Port: port}
	o.Name = o.Host
	if scheme == "https" && serverName != "" {
		o.Name = PlainHost(serverName)
	}
	if o.Port == "" {
		o.Port = DefaultPort(scheme)
	}
	return o
}

// String is the origin as an `allow` line names it.
func (o Origin) String() string {
	if o.Socket != "" {
		return "unix/" + o.Socket
	}
	if o.Port == DefaultPort(o.Scheme) {
		return o.Scheme + "://" + bracketed(o.Name)
	}
	return o.Scheme + "://" + net.JoinHostPort(o.Name, o.Port)
}

// InTheClear reports whether others on the way could read the token.
func (o Origin) InTheClear() bool {
	return o.Scheme == "http" && o.Socket == "" && !IsLoopback(o.Host)
}
