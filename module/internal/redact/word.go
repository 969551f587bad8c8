package redact

import (
	"strings"
	"unicode"
)

// Word keeps foreign words from being more than a word, or withholds them.
func (s *Secrets) Word(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`'"\{}`, r) || r > '~' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return -1
		}
		return r
	}, text)
	if s.Reveals(text) || s.Reveals(clean) { // what was taken out may have parted a secret
		return Withheld
	}
	if len(clean) > 253 {
		clean = strings.ToValidUTF8(clean[:253], "")
	}
	return clean
}

// Word is Secrets.Word with the secrets that the process remembers.
func Word(text string) string { return (*Secrets)(nil).Word(text) }
