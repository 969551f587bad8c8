package redact

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// replace undoes escapes that begin with a mark: decode gets what follows it, and
// returns what stands for it and its length, or 0 if it is no escape.
func replace(text, mark string, decode func(rest string) (string, int)) []string {
	before, rest, found := strings.Cut(text, mark)
	if !found {
		return nil
	}
	var b strings.Builder
	b.Grow(len(text))
	for found {
		b.WriteString(before)
		character, n := decode(rest)
		if n == 0 {
			character = mark
		}
		b.WriteString(character)
		before, rest, found = strings.Cut(rest[n:], mark)
	}
	b.WriteString(before)
	return []string{b.String()}
}

// percentEncoding is %41 of URLs (RFC 3986 section 2.1), and %u0041 of old scripts.
func percentEncoding(text string) []string {
	return replace(text, "%", func(rest string) (string, int) {
		if len(rest) > 0 && rest[0]|0x20 == 'u' {
			return numbered(rest, 4)
		}
		return octet(rest, 0)
	})
}

// formEncoding is that of forms: percentEncoding with blanks as plus signs.
func formEncoding(text string) []string {
	if strings.IndexByte(text, '+') < 0 {
		return nil
	}
	text = strings.ReplaceAll(text, "+", " ")
	if undone := percentEncoding(text); undone != nil {
		return undone
	}
	return []string{text}
}

// maxEntity is the length of the longest name of a character in HTML.
const maxEntity = 32

// htmlEscaping is &amp; and &#38; and &#x26; of HTML and XML, in any case, with or
// without the semicolon.
func htmlEscaping(text string) []string {
	return replace(text, "&", func(rest string) (string, int) {
		if strings.HasPrefix(rest, "#") {
			return numericEntity(rest)
		}
		end := 0
		for end < min(len(rest), maxEntity) && isAlphanumeric(rest[end]) {
			end++
		}
		if end < len(rest) && rest[end] == ';' {
			end++
		}
		if end == 0 {
			return "", 0
		}
		for _, entity := range []string{"&" + rest[:end], "&" + strings.ToLower(rest[:end])} {
			if undone := html.UnescapeString(entity); undone != entity {
				return undone, end
			}
		}
		return "", 0
	})
}

func numericEntity(rest string) (string, int) {
	at, base := 1, 10
	if len(rest) > 1 && rest[1]|0x20 == 'x' {
		at, base = 2, 16
	}
	end := at
	for end < min(len(rest), at+8) && isDigit(rest[end], base) {
		end++
	}
	n, err := strconv.ParseUint(rest[at:end], base, 32)
	if err != nil {
		return "", 0
	}
	if end < len(rest) && rest[end] == ';' {
		end++
	}
	return string(rune(min(n, utf8.MaxRune+1))), end
}

// backslashEscaping is that of JSON and of most languages' strings.
func backslashEscaping(text string) []string {
	return replace(text, "\\", func(rest string) (string, int) {
		if len(rest) == 0 {
			return "", 0
		}
		switch c := rest[0] | 0x20; {
		case c == 'x':
			if character, n := octet(rest, 1); n > 0 {
				return character, n
			}
			return numbered(rest, 0) // \x{e4}
		case rest[0] == 'U' && strings.HasPrefix(rest[1:], "00"):
			if character, n := numbered(rest, 8); n > 0 {
				return character, n
			}
			return numbered(rest, 4) // \u0041 in capitals
		case c == 'u':
			return numbered(rest, 4)
		case strings.IndexByte("abfnrtv", c) >= 0:
			return string("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)]), 1
		case rest[0] >= '0' && rest[0] <= '3' && len(rest) > 2 && isDigit(rest[1], 8) && isDigit(rest[2], 8):
			return string([]byte{(rest[0]-'0')<<6 | (rest[1]-'0')<<3 | (rest[2] - '0')}), 3
		case rest[0] == '0':
			return "\x00", 1
		case isAlphanumeric(rest[0]):
			return "", 0
		}
		return rest[:1], 1 // of \" and \/ and \\ the character itself
	})
}

// lineBreaks, and blanks, are put into long words, and into the midst of escapes.
func lineBreaks(text string) []string {
	if solid := withoutBlanks(text); len(solid) < len(text) {
		return []string{solid}
	}
	return nil
}

// octet reads two hexadecimal digits at a place.
func octet(rest string, at int) (string, int) {
	if len(rest) < at+2 {
		return "", 0
	}
	high, low := hexDigits[rest[at]], hexDigits[rest[at+1]]
	if high > 15 || low > 15 {
		return "", 0
	}
	return string([]byte{high<<4 | low}), at + 2
}

// numbered reads a character by its number, after a letter, in as many hexadecimal digits or
// within braces. Halves of what UTF-16 writes as two are put together.
func numbered(rest string, digits int) (string, int) {
	r, n := hexNumber(rest, 1, digits)
	if n == 0 {
		return "", 0
	}
	if r >= 0xd800 && r < 0xdc00 && len(rest) > n+1 && rest[n+1]|0x20 == 'u' {
		if low, end := hexNumber(rest, n+2, digits); low >= 0xdc00 && low < 0xe000 {
			return string((r-0xd800)<<10 | (low - 0xdc00) + 0x10000), end
		}
	}
	return string(r), n
}

func hexNumber(rest string, at, digits int) (r rune, end int) {
	if len(rest) > at && rest[at] == '{' {
		length := strings.IndexByte(rest[at:min(len(rest), at+10)], '}') - 1
		if length < 1 {
			return 0, 0
		}
		r, _ = hexNumber(rest[at+1:at+1+length], 0, length)
		return r, at + length + 2
	}
	if digits == 0 || len(rest) < at+digits {
		return 0, 0
	}
	n, err := strconv.ParseUint(rest[at:at+digits], 16, 32)
	if err != nil {
		return 0, 0
	}
	return rune(min(n, utf8.MaxRune+1)), at + digits
}

func isAlphanumeric(c byte) bool { return isDigit(c, 10) || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte, base int) bool {
	switch {
	case c >= '0' && c <= '9':
		return int(c-'0') < base
	case base == 16:
		return c|0x20 >= 'a' && c|0x20 <= 'f'
	}
	return false
}
