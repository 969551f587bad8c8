package inject

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// What a caller must not bring, it must not bring in any spelling, and servers read
// one name in many. The rule: a name reads as another if both are the same after
//
//   - decoding, again while there is something to decode: %61 and %u0061, and + for
//     a blank;
//   - cutting at a NUL, and trimming blanks, quotes and brackets around it;
//   - mapping what PHP cannot have in the name of a variable: dots, blanks and a
//     bracket that is not closed are underscores, and where one is closed an array
//     begins, which has the name before it; a bracket that nothing opened ends a
//     name too, for Rack;
//   - and folding case.
//
// Of the names of headers, CGI leaves letters and digits only: see alikeHeader.

// reading is the name of a parameter or cookie, ready for comparison.
type reading struct {
	name  []byte
	least int // no shorter name reads as this one
}

func newReading(name string) *reading {
	plain := plainName([]byte(name))
	return &reading{name: plain, least: utf8.RuneCount(plain)}
}

// accessTokenParam is the parameter of RFC 6750 section 2.3.
var accessTokenParam = newReading("access_token")

// of reports whether a name, as a request has it, reads as this one.
func (r *reading) of(raw string) bool {
	if len(raw) < r.least {
		return false
	}
	var space [128]byte
	name := plainName(append(space[:0], raw...))
	if bytes.EqualFold(name, r.name) {
		return true
	}
	for i, c := range name {
		if (c == '[' || c == ']') && bytes.EqualFold(bytes.TrimRight(name[:i], "_"), r.name) {
			return true
		}
	}
	if i := bytes.IndexByte(name, '['); i >= 0 && bytes.IndexByte(name[i:], ']') < 0 {
		name[i] = '_'
		return bytes.EqualFold(name, r.name)
	}
	return false
}

// plainName decodes, trims and maps a name in its own place.
func plainName(name []byte) []byte {
	name = bytes.TrimLeftFunc(decodeName(name), isTrimmed)
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	name = bytes.TrimRightFunc(name, isTrimmed)
	name = bytes.TrimLeftFunc(name, func(r rune) bool { return r == '[' || r == ']' || isTrimmed(r) })
	if bytes.IndexByte(name, '[') < 0 {
		name = bytes.TrimRightFunc(name, func(r rune) bool { return r == ']' || isTrimmed(r) })
	}
	for i, c := range name {
		if c == '.' || c == ' ' {
			name[i] = '_'
		}
	}
	return name
}

func isTrimmed(r rune) bool {
	return r <= ' ' || r == '"' || r == '\'' || r == '\ufeff' || unicode.IsSpace(r)
}

// decodings is how often a name is decoded at most: no server does it more often.
const decodings = 4

// decodeName decodes a name in its own place. What is no escape stays.
func decodeName(name []byte) []byte {
	for range decodings {
		if bytes.IndexByte(name, '%') < 0 && bytes.IndexByte(name, '+') < 0 {
			break
		}
		name = decodeOnce(name)
	}
	return name
}

func decodeOnce(name []byte) []byte {
	out := name[:0]
	for i := 0; i < len(name); {
		c := name[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+5 < len(name) && (name[i+1] == 'u' || name[i+1] == 'U') && isHex(name[i+2:i+6]):
			r, _ := strconv.ParseInt(string(name[i+2:i+6]), 16, 32)
			out = utf8.AppendRune(out, rune(r))
			i += 6
			continue
		case c == '%' && i+2 < len(name) && isHex(name[i+1:i+3]):
			c = unhex(name[i+1])<<4 | unhex(name[i+2])
			i += 2
		}
		out = append(out, c)
		i++
	}
	return out
}

func isHex(digits []byte) bool {
	for _, c := range digits {
		if unhex(c) == 0xff {
			return false
		}
	}
	return true
}

// unhex is the value of a hexadecimal digit, 0xff if it is none.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

// alikeHeader reports whether a server may take one header for another: CGI and its
// heirs make one character of whatever is no letter or digit.
func alikeHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := headerByte(a[i]), headerByte(b[i])
		if x != y {
			return false
		}
	}
	return true
}

func headerByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '_'
}
