package redact

import (
	"strings"

	"lamplighter/module/internal/origin"
)

// Word keeps what a caller sent from being more than a word.
func Word(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`'"\{}`, r) || r > '~' && !origin.IsLabelRune(r) {
			return -1
		}
		return r
	}, text)
	if len(clean) > 253 {
		clean = strings.ToValidUTF8(clean[:253], "")
	}
	return clean
}
