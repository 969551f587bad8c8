package dpop

import (
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Target is how a proof names what a request is for, its claim htu: as it goes over the wire,
// since servers compare texts. The host is what is sent as such, in lower case, without the
// port that the scheme has anyway; the path stays as it is escaped, and the query is not in it.
func Target(scheme, host, escapedPath string) string {
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	if ascii, err := httpguts.PunycodeHostPort(host); err == nil {
		host = ascii
	}
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	if escapedPath == "" {
		escapedPath = "/"
	}
	return scheme + "://" + host + escapedPath
}
