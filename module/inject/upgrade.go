package inject

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// An offer of h2c (RFC 7540 section 3.2) is for the connection that it comes in
// on, and ends here: Java's HttpClient and `curl --http2` make it with each request,
// and no transport to an upstream can pass it on. Over HTTP/2 it is an error, and
// over HTTP/1 an upstream that accepted it would speak another protocol than the
// transport. Any other upgrade that stands beside it is kept.

const h2cSettings = "Http2-Settings"

// endH2C takes the offer out of the headers of a request, which it changes.
func endH2C(h http.Header) {
	delete(h, h2cSettings)
	offered := h["Upgrade"]
	if len(offered) == 0 || !slices.ContainsFunc(offered, offersH2C) {
		return
	}
	var kept []string
	for protocol := range listed(offered) {
		if !isH2C(protocol) {
			kept = append(kept, protocol)
		}
	}
	gone := []string{h2cSettings}
	if len(kept) > 0 {
		h["Upgrade"] = []string{strings.Join(kept, ", ")}
	} else {
		delete(h, "Upgrade")
		gone = append(gone, "Upgrade")
	}
	for _, name := range gone {
		keepOverConnection(h, name)
	}
	if len(h["Connection"]) == 0 {
		delete(h, "Connection")
	}
}

// WithoutH2C returns the request without the offer: itself if it makes none.
func WithoutH2C(req *http.Request) *http.Request {
	_, settings := req.Header[h2cSettings]
	if !settings && !slices.ContainsFunc(req.Header["Upgrade"], offersH2C) {
		return req
	}
	out := new(http.Request)
	*out = *req
	out.Header = req.Header.Clone()
	endH2C(out.Header)
	return out
}

func offersH2C(value string) bool {
	for protocol := range listed([]string{value}) {
		if isH2C(protocol) {
			return true
		}
	}
	return false
}

// isH2C knows the drafts of HTTP/2, too, as in h2c-14, and `h2`, which some
// clients offer although it is for TLS only.
func isH2C(protocol string) bool {
	protocol = strings.ToLower(protocol)
	return protocol == "h2c" || protocol == "h2" || strings.HasPrefix(protocol, "h2c-") || strings.HasPrefix(protocol, "h2-") || protocol == "http/2" || protocol == "http/2.0"
}

// listed yields the members of a header that is a list (RFC 9110 section 5.6.1).
func listed(values []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range values {
			for member := range strings.SplitSeq(value, ",") {
				if member = textproto.TrimString(member); member != "" && !yield(member) {
					return
				}
			}
		}
	}
}

// IsUpgrade reports whether a request wants the connection for something else than
// HTTP.
func IsUpgrade(req *http.Request) bool {
	if req.Method == http.MethodConnect {
		return true // WebSockets over HTTP/2, RFC 8441
	}
	if len(req.Header["Upgrade"]) == 0 || !httpguts.HeaderValuesContainsToken(req.Header["Connection"], "upgrade") {
		return false
	}
	for protocol := range listed(req.Header["Upgrade"]) {
		if !isH2C(protocol) {
			return true
		}
	}
	return false
}

// keepOverConnection takes a header out of those that the caller wants dropped
// by the next proxy.
func keepOverConnection(h http.Header, name string) {
	values := h["Connection"]
	if !httpguts.HeaderValuesContainsToken(values, name) {
		return
	}
	kept := make([]string, 0, len(values))
	for _, value := range values {
		tokens := slices.DeleteFunc(strings.Split(value, ","), func(token string) bool {
			return strings.EqualFold(strings.Trim(token, " \t"), name)
		})
		if len(tokens) > 0 {
			kept = append(kept, strings.Join(tokens, ","))
		}
	}
	h["Connection"] = kept
}
