package inject

import (
	"net/http"
	"slices"
	"strings"

	"lamplighter/module/internal/keeper"
)

// HandOut sets what a token is put into as headers of an answer, for who puts it into requests
// itself.
func (in *Injections) HandOut(h http.Header, t *keeper.Token) {
	for i := range in.places {
		p := &in.places[i]
		if value := p.render(t); value != "" && p.answers() {
			h[p.Name] = []string{value}
		}
	}
}

// OnlyInRequests are the places that no header of an answer stands for.
func (in *Injections) OnlyInRequests() (list []Place) {
	for i := range in.places {
		if !in.places[i].answers() {
			list = append(list, in.places[i])
		}
	}
	return list
}

// UsesIDToken reports whether the ID token goes into requests.
func (in *Injections) UsesIDToken() bool {
	return slices.ContainsFunc(in.places, func(p Place) bool {
		return slices.ContainsFunc(p.template, func(piece piece) bool { return piece.value == "id_token" })
	})
}

// UsesResponse reports whether something of an answer goes into the place that no answer of
// RFC 6749 section 5.1 has.
func (p *Place) UsesResponse() bool {
	return slices.ContainsFunc(p.template, func(piece piece) bool { return strings.HasPrefix(piece.value, responsePrefix) })
}

// notInAnswers mean something in an answer, or end at the next proxy (RFC 9110 section 7.6.1).
var notInAnswers = []string{
	"Age", "Allow", "Alt-Svc", "Cache-Control", "Date", "Expires", "Keep-Alive", "Location", "Pragma", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Retry-After", "Server", "Set-Cookie", "Te", "Trailer", "Upgrade", "Vary", "Www-Authenticate",
}

// answers reports whether the place can be a header of an answer.
func (p *Place) answers() bool {
	if p.In != "header" || slices.Contains(notInAnswers, p.Name) {
		return false
	}
	return !slices.ContainsFunc([]string{"Access-Control-", "Content-", "Lamplighter-", "X-Accel-"}, func(prefix string) bool { return strings.HasPrefix(p.Name, prefix) })
}
