package redact

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much is printed, in characters: of foreign words, and of a line of ours that
// holds some.
const (
	maxWords = 200
	maxText  = 1000
)

// Visible makes all characters of a text visible, and cuts or withholds nothing.
func Visible(text string) string { return escape(text, len(text), false) }

// escape makes all characters visible that are not: controls, what turns the
// direction of writing, separators of lines, what has no width, and bytes that are
// no UTF-8. Everything else stays as it is; with quoting, quotes and backslashes
// are escaped too.
func escape(text string, limit int, quoting bool) string {
	var b strings.Builder
	for n := 0; text != ""; n++ {
		if n == limit {
			b.WriteString("…")
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case quoting && (r == '"' || r == '\\'):
			b.WriteByte('\\')
			b.WriteRune(r)
		case visible(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		text = text[size:]
	}
	return b.String()
}

// visible reports whether a character shows as itself and leaves its neighbours
// alone. Of the blanks only the space does.
func visible(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
