package redact

import (
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much is read of a text, and how much of it once encodings are undone: more
// than that much work is not worth any words.
const (
	maxRead   = 8 << 10
	maxUndone = 256 << 10
	perText   = 64 // what a text costs beside its length
)

// encodings is the table of what is undone. Each finds whatever it may have
// written anywhere in a text, and returns the texts without it, or nothing.
var encodings = []func(string) []string{
	percentEncoding, formEncoding, htmlEscaping, backslashEscaping, base64Encoding, hexEncoding, lineBreaks,
}

// undo returns what a text holds once all encodings are undone, in any order and
// as often as they nest. It reports false if that is more than reasonable.
func undo(text string) (held *grams, undone bool) {
	text = text[:min(len(text), maxRead)]
	held = newGrams(len(text))
	seed := maphash.MakeSeed()
	known := map[uint64]bool{}
	left := maxUndone
	for texts := []string{text}; len(texts) > 0; texts = texts[1:] {
		text := texts[0]
		if narrow := latin1(text); !held.add(text) || len(narrow) < len(text) && !held.add(narrow) {
			return nil, false
		}
		text = likely(text)
		for _, decode := range encodings {
			for _, inner := range decode(text) {
				if sum := maphash.String(seed, inner); len(inner) >= minSecret && !known[sum] {
					known[sum] = true
					texts = append(texts, inner)
					left -= len(inner) + perText
				}
			}
			if left < 0 {
				return nil, false
			}
		}
	}
	return held, true
}

// maxUnlikely is how much that is no text is decoded further.
const maxUnlikely = 1 << 10

// likely keeps the pieces of a long text that people may read: words that were
// decoded as if they were base64 yield much that nobody can.
func likely(text string) string {
	if len(text) <= maxUnlikely {
		return text
	}
	var b strings.Builder
	start, strange := 0, 0
	end := func(at int) {
		if at-start >= minSecret {
			b.WriteString(text[start:at])
			b.WriteByte('\n')
		}
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if unicode.IsPrint(r) && r != utf8.RuneError {
			strange = 0
		} else if strange++; strange == 2 {
			end(i)
			start, strange = i+size, 0
		}
		i += size
	}
	end(len(text))
	return b.String()
}
