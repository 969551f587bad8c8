package redact

import (
	"strings"
	"unicode"
)

// Word keeps what a caller sent from being more than a word.
func Word(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`'"\{}`, r) || r > '~' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return -1
		}
		return r
	}, text)
	if len(clean) > 253 {
		clean = strings.ToValidUTF8(clean[:253], "")
	}
	return clean
}
