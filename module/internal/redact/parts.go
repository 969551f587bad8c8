package redact

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

const (
	framed = "-----BEGIN "
	minKey = 20 // shorter texts in the JSON of a key are names of algorithms and the like
)

// parts are what is secret of a value. The rest is the same in every other key or
// token: of PEM the lines that frame it, of a JWT the header, of a key in JSON what
// is too short for one, or an address.
func parts(secret string) []string {
	switch {
	case strings.HasPrefix(secret, "{"):
		members := map[string]any{}
		if json.Unmarshal([]byte(secret), &members) != nil {
			break
		}
		var values []string
		for _, member := range members {
			if text, ok := member.(string); ok && (strings.Contains(text, framed) || len(text) >= minKey && !strings.ContainsAny(text, ":@")) {
				values = append(values, parts(text)...)
			}
		}
		return values
	case strings.Contains(secret, framed):
		var within strings.Builder
		for line := range strings.Lines(secret) {
			if !strings.HasPrefix(line, "-----") {
				within.WriteString(strings.TrimSpace(line))
			}
		}
		return []string{within.String()}
	case strings.HasPrefix(secret, "eyJ"):
		header, rest, _ := strings.Cut(secret[:min(len(secret), maxHeader)], ".")
		if text, err := base64.RawURLEncoding.DecodeString(header); err == nil && strings.Contains(rest, ".") && strings.Contains(string(text), `"alg"`) {
			return []string{secret[len(header)+1:]}
		}
	}
	return []string{secret}
}

// maxHeader is within what the header and the payload of a JWT end.
const maxHeader = 16 << 10
