package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// forms are what is compared of a text and of a secret: as it is, in the character
// set that most others agree with, and without blanks, which whoever breaks lines
// puts in. They are folded where they are compared.
func forms(text string) []string {
	list := []string{text}
	if isPlain(text) {
		return list
	}
	narrow := latin1(text)
	if len(narrow) < len(text) {
		list = append(list, narrow)
	}
	if solid := latin1(withoutBlanks(text)); len(solid) < len(narrow) {
		list = append(list, solid)
	}
	return list
}

// isPlain reports whether all characters are of ASCII and none is blank.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// folded maps letters to the small ones, of ISO 8859-1 too, and the alphabet of
// base64 to that of base64url.
var folded = func() (table [256]byte) {
	for i := range table {
		c := byte(i)
		if c >= 'A' && c <= 'Z' || c >= 0xc0 && c <= 0xde && c != 0xd7 {
			c += 0x20
		}
		table[i] = c
	}
	table['+'], table['/'] = '-', '_'
	return table
}()

// latin1 writes the characters of ISO 8859-1 as the byte that they have there,
// also if they were taken for UTF-8 twice.
func latin1(text string) string {
	for {
		at := strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf && r <= 0xff })
		if at < 0 {
			return text
		}
		var b strings.Builder
		b.Grow(len(text))
		b.WriteString(text[:at])
		for rest := text[at:]; rest != ""; {
			r, size := utf8.DecodeRuneInString(rest)
			if size == 2 && r <= 0xff {
				b.WriteByte(byte(r)) //nolint:gosec // at most 0xff
			} else {
				b.WriteString(rest[:size])
			}
			rest = rest[size:]
		}
		text = b.String()
	}
}

// isBlank reports whether a character separates only, or shows not at all, like the
// zeros of UTF-16. Of those of ISO 8859-1 none does: they may be bytes of others.
func isBlank(r rune) bool {
	return r <= ' ' || r == 0x7f || r > 0xff && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r))
}

func withoutBlanks(text string) string {
	if strings.IndexFunc(text, isBlank) < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if !isBlank(r) {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}
