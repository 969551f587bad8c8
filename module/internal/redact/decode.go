package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The encodings that are undone, in any order and nested:
//
//	percent and %u         unescaped, like a form's plus sign by fold
//	HTML entities          unescaped
//	JSON, \u, \x, octal    unescaped
//	UTF-8 read as Latin-1  unescaped
//	base64 and base64url   decoded, at each offset, line breaks or not
//	hexadecimal            decoded, at each offset
//	letter case, blanks, UTF-16, Latin-1: fold
const (
	maxDepth  = 3         // how deep encodings may nest; what is encoded deeper is withheld
	maxLooked = 8 << 10   // how much of a text is looked at: far more than is ever printed
	maxWork   = 256 << 10 // how much text may come of undoing encodings
)

// decoded is a text with everything that undoing its encodings yields, ready to be
// searched.
type decoded struct {
	texts  []string // folded
	raw    []string
	work   int
	opaque bool // something in it is still encoded
}

func decode(text string) *decoded {
	d := new(decoded)
	d.undo([]byte(text[:min(len(text), maxLooked)]), 0)
	return d
}

// undo keeps a text, and what each way to decode it yields.
func (d *decoded) undo(text []byte, depth int) {
	if d.work += len(text); d.work > maxWork {
		d.opaque = true
		return
	}
	d.raw = append(d.raw, string(text))
	d.texts = append(d.texts, string(folded(string(text))))
	plain := unescape(text)
	escaped := !bytes.Equal(plain, text)
	if depth == maxDepth {
		d.opaque = d.opaque || escaped && legible([][]byte{text}) || legible(fromBase64(text)) || legible(fromHex(text))
		return
	}
	if escaped {
		d.undo(plain, depth+1)
	}
	for _, ways := range [][][]byte{fromBase64(text), fromHex(text)} {
		for _, plain := range ways {
			if len(plain) > 0 {
				d.undo(plain, depth+1)
			}
		}
	}
}

// legible reports whether one of some decoded texts is one for people: then it was
// encoded, and not only looked like that.
func legible(texts [][]byte) bool {
	for _, text := range texts {
		for part := range bytes.SplitSeq(text, separator) {
			if len(part) >= runLength && !bytes.ContainsFunc(part, unusual) {
				return true
			}
		}
	}
	return false
}

func unusual(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// separator stands between texts that were no neighbours.
var separator = []byte{0}

// fromBase64 decodes whatever may be base64 or base64url in a text, at each of the
// four offsets at which it may begin.
func fromBase64(text []byte) [][]byte {
	return decodeRuns(text, 4, base64Digit, func(run []byte) []byte {
		run = run[:len(run)/4*4+tail(len(run)%4)]
		plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
		n, _ := base64.RawStdEncoding.Decode(plain, run)
		return plain[:n]
	})
}

// tail is how many of the last characters of base64 hold a byte.
func tail(n int) int {
	if n == 1 {
		return 0
	}
	return n
}

// fromHex decodes whatever may be hexadecimal in a text, at both offsets.
func fromHex(text []byte) [][]byte {
	return decodeRuns(text, 2, hexDigit, func(run []byte) []byte {
		run = run[:len(run)/2*2]
		plain := make([]byte, hex.DecodedLen(len(run)))
		n, _ := hex.Decode(plain, run)
		return plain[:n]
	})
}

// base64Digit returns the digit of base64 that a byte stands for, 0 if none.
func base64Digit(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
		return c
	case c == '-':
		return '+'
	case c == '_':
		return '/'
	}
	return 0
}

func hexDigit(c byte) byte {
	if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
		return c
	}
	return 0
}

// decodeRuns decodes all runs of digits that are long enough to hold a part of a
// secret. Blanks within a run, such as line breaks, do not end it.
func decodeRuns(text []byte, offsets int, digit func(byte) byte, decode func([]byte) []byte) [][]byte {
	out := make([][]byte, offsets)
	var run []byte
	end := func() {
		for offset := range out {
			if len(run)-offset >= runLength*4/3 {
				out[offset] = append(append(out[offset], decode(run[offset:])...), separator...)
			}
		}
		run = run[:0]
	}
	for _, c := range text {
		if d := digit(c); d != 0 {
			run = append(run, d)
		} else if !isBlank(c) {
			end()
		}
	}
	end()
	return out
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// unescape undoes one layer of every encoding that writes characters by escapes.
// What it yields is never longer, so that each step works in place.
func unescape(text []byte) []byte {
	text = bytes.Clone(text)
	if bytes.IndexByte(text, '%') >= 0 {
		text = unescapePercent(text)
	}
	if bytes.IndexByte(text, '\\') >= 0 {
		text = unescapeBackslashes(text)
	}
	if bytes.IndexByte(text, '&') >= 0 {
		text = []byte(html.UnescapeString(string(unescapeReferences(text)))) // last: it needs no semicolon where the end is encoded
	}
	return fromLatin1(text)
}

func unescapePercent(text []byte) []byte {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		if text[i] == '%' {
			if r, ok := hexadecimal(text, i+1, 2); ok {
				out = append(out, byte(r))
				i += 2
				continue
			}
			if i+1 < len(text) && (text[i+1]|0x20) == 'u' {
				if r, ok := hexadecimal(text, i+2, 4); ok {
					out = utf8.AppendRune(out, r)
					i += 5
					continue
				}
			}
		}
		out = append(out, text[i])
	}
	return out
}

// unescapeBackslashes undoes the escapes of JSON and of its relatives. Of a pair of
// surrogates one character comes.
func unescapeBackslashes(text []byte) []byte {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		plain, length := escaped(out, text[i:])
		if length == 0 {
			plain, length = append(out, text[i+1]), 2 // it needed no escape
		}
		out, i = plain, i+length-1
	}
	return out
}

// escaped appends the character that an escape names, and returns how long that is,
// 0 if it names none.
func escaped(out, text []byte) (plain []byte, length int) {
	switch c := text[1]; {
	case c == 'u' && len(text) > 2 && text[2] == '{':
		end := bytes.IndexByte(text[:min(len(text), 12)], '}')
		if r, ok := hexadecimal(text, 3, end-3); ok {
			return utf8.AppendRune(out, r), end + 1
		}
	case c == 'u':
		r, ok := hexadecimal(text, 2, 4)
		if !ok {
			return out, 0
		}
		if len(text) > 7 && text[6] == '\\' && text[7] == 'u' {
			if low, ok := hexadecimal(text, 8, 4); ok {
				if pair := utf16.DecodeRune(r, low); pair != unicode.ReplacementChar {
					return utf8.AppendRune(out, pair), 12
				}
			}
		}
		return utf8.AppendRune(out, r), 6
	case c == 'U':
		if r, ok := hexadecimal(text, 2, 8); ok {
			return utf8.AppendRune(out, r), 10
		}
	case c == 'x':
		if r, ok := hexadecimal(text, 2, 2); ok {
			return append(out, byte(r)), 4
		}
	case c >= '0' && c <= '3':
		if r, ok := number(text, 1, 3, 8); ok {
			return append(out, byte(r)), 4
		}
	default:
		if i := strings.IndexByte("nrtbfva", c); i >= 0 {
			return append(out, "\n\r\t\b\f\v\a"[i]), 2
		}
	}
	return out, 0
}

// number reads so many digits.
func number(text []byte, at, digits, base int) (rune, bool) {
	if digits < 1 || at+digits > len(text) {
		return 0, false
	}
	n := 0
	for _, c := range text[at : at+digits] {
		digit := base
		switch {
		case c >= '0' && c <= '9':
			digit = int(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			digit = int(c|0x20-'a') + 10
		}
		if digit >= base {
			return 0, false
		}
		n = min(n*base+digit, unicode.MaxRune+1)
	}
	return rune(n), true
}

func hexadecimal(text []byte, at, digits int) (rune, bool) { return number(text, at, digits, 16) }

// unescapeReferences undoes the numeric character references of HTML. The named
// ones are left to html.
func unescapeReferences(text []byte) []byte {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		if r, length := reference(text[i:]); length > 0 {
			out = utf8.AppendRune(out, r)
			i += length - 1
			continue
		}
		out = append(out, text[i])
	}
	return out
}

// reference reads a numeric character reference, and returns how long it is, 0 if
// there is none.
func reference(text []byte) (r rune, length int) {
	if len(text) < 3 || text[0] != '&' || text[1] != '#' {
		return 0, 0
	}
	begin, base := 2, 10
	if text[2]|0x20 == 'x' {
		begin, base = 3, 16
	}
	end := begin
	for ; end < len(text); end++ {
		if _, ok := number(text, end, 1, base); !ok {
			break
		}
	}
	r, ok := number(text, begin, end-begin, base)
	if !ok {
		return 0, 0
	}
	if end < len(text) && text[end] == ';' {
		end++
	}
	return r, end
}

// fromLatin1 undoes that bytes of UTF-8 were taken for characters of ISO-8859-1,
// wherever that yields UTF-8 again.
func fromLatin1(text []byte) []byte {
	out := text[:0]
	for i := 0; i < len(text); {
		if r, length := latin1(text[i:]); length > 0 {
			out = utf8.AppendRune(out, r)
			i += length
			continue
		}
		out = append(out, text[i])
		i++
	}
	return out
}

// latin1 reads characters beyond ASCII that are one of UTF-8 if they are taken for
// its bytes, and returns how long they are; 0 if there are none.
func latin1(text []byte) (r rune, length int) {
	if text[0] != 0xc2 && text[0] != 0xc3 { // U+0080 to U+00FF
		return 0, 0
	}
	var narrow [utf8.UTFMax]byte
	for n := range narrow {
		wide, size := utf8.DecodeRune(text[length:])
		if wide < utf8.RuneSelf || wide > 0xff || size < 2 {
			return 0, 0
		}
		narrow[n] = byte(wide)
		length += size
		if r, size := utf8.DecodeRune(narrow[:n+1]); size == n+1 && size > 1 {
			return r, length
		}
	}
	return 0, 0
}
