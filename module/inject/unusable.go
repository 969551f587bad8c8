package inject

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"

	"lamplighter/module/internal/keeper"
)

// Unusable says why what came with a token cannot be sent where `inject` wants it, ""
// if it can: a value is missing, or it holds characters that its place cannot.
func (in *Injections) Unusable(t *keeper.Token) string {
	for i := range in.places {
		p := &in.places[i]
		for _, piece := range p.template {
			if piece.value == "" {
				continue
			}
			value := piece.of(t)
			switch {
			case value == "":
				return fmt.Sprintf("the answer holds nothing for {%s}, which inject %s %s wants", piece.value, p.In, p.Name)
			case !p.carries(value):
				return fmt.Sprintf("{%s} holds characters that no %s may hold", piece.value, p.In)
			}
		}
	}
	return ""
}

// carries reports whether a value arrives in a place as it is: a header by RFC 9110
// section 5.5, a cookie by RFC 6265 section 4.1.1. A query escapes everything.
func (p *Place) carries(value string) bool {
	switch p.In {
	case "header":
		return httpguts.ValidHeaderFieldValue(value)
	case "cookie":
		return !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`",;\`, r) })
	}
	return true
}
