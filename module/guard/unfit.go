package guard

import (
	"net/http"
	"strings"

	"lamplighter/module/cause"
	"lamplighter/module/problem"
)

// Unfit refuses the requests that no token may go with, wherever they go; nil if one may.
// The guard asks first, and whatever puts a token into a request asks again: it may stand
// alone.
func Unfit(req *http.Request) *problem.Problem {
	switch {
	case echoes(req.Method):
		return notAllowed("trace_refused")
	case strings.EqualFold(req.Method, http.MethodConnect) && !opensWebSocket(req):
		return notAllowed("connect_refused")
	case req.URL.Opaque != "":
		// Such as a:http://example.com/, which net/http sends as http://example.com/, and
		// then that server counts in the place of Host (RFC 9112 section 3.2.2).
		return problem.Refused(http.StatusBadRequest, cause.Of("target_refused"))
	}
	return nil
}

func notAllowed(name string, cases ...string) *problem.Problem {
	p := problem.Refused(http.StatusMethodNotAllowed, cause.Of(name, cases...))
	p.Allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	return p
}

// echoes reports whether the answer to a method repeats the request: the token too. TRACK
// is Microsoft's TRACE.
func echoes(method string) bool {
	return strings.EqualFold(method, http.MethodTrace) || strings.EqualFold(method, "TRACK")
}

// opensWebSocket reports whether CONNECT opens a WebSocket, as it does over HTTP/2 (RFC
// 8441) and HTTP/3 (RFC 9220). reverse_proxy makes a GET of it.
func opensWebSocket(req *http.Request) bool {
	switch req.ProtoMajor {
	case 2:
		protocol := req.Header[":protocol"]
		return len(protocol) == 1 && protocol[0] == "websocket"
	case 3:
		return req.Proto == "websocket"
	}
	return false
}
