package redact

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// runLength is how many characters of a secret withhold the words that hold them,
// and minSecret the length from which a shorter one, which counts whole, can be told
// from any other word.
const (
	runLength = 8
	minSecret = 4
)

// search looks for secrets in a text. It is O(n) in the text, whose runs of eight
// characters are kept, and in each secret, whose runs are looked up.
type search struct {
	*decoded
	runs runs
}

func newSearch(text string) *search {
	s := &search{decoded: decode(text)}
	n := 0
	for _, t := range s.texts {
		n += len(t)
	}
	s.runs = newRuns(n)
	for _, t := range s.texts {
		eachRun(t, func(run uint64) bool { s.runs.add(run); return true })
	}
	return s
}

// holdsPart reports whether the text holds a run of characters of a secret, or all
// of a short one.
func (s *search) holdsPart(secret string) bool {
	for _, part := range parts(secret) {
		if s.holds(part) {
			return true
		}
	}
	return false
}

func (s *search) holds(secret string) bool {
	if len(secret) < minSecret {
		return false
	}
	for begin := 0; ; begin += stride {
		piece := secret[begin:min(len(secret), begin+stride+overlap)]
		for _, form := range forms(piece) {
			if n, found := s.findRun(form); found || n < runLength && s.holdsAll(form) {
				return true
			}
		}
		if begin+stride+overlap >= len(secret) {
			return false
		}
	}
}

// A long secret is looked up piece by piece, each with so much of the next that no
// run of characters is missed, however it is escaped.
const (
	stride  = 32 << 10
	overlap = 1 << 10
)

// findRun looks up the runs of a secret, and counts its characters up to one.
func (s *search) findRun(secret string) (n int, found bool) {
	var run uint64
	fold(secret, func(c byte) bool {
		run = run<<8 | uint64(c)
		n++
		found = n >= runLength && s.runs.has(run)
		return !found
	})
	return n, found
}

// holdsAll reports whether a short value stands in the text.
func (s *search) holdsAll(value string) bool {
	short := string(folded(value))
	for i := range s.texts {
		if len(short) >= minSecret && strings.Contains(s.texts[i], short) || strings.Contains(s.raw[i], value) {
			return true
		}
	}
	return false
}

// holdsWhole reports whether the text holds all of a value that may be secret.
func (s *search) holdsWhole(value string) bool {
	if len(value) < runLength {
		return false
	}
	for _, form := range forms(value) {
		if whole := string(folded(form)); len(whole) >= runLength {
			for _, text := range s.texts {
				if strings.Contains(text, whole) {
					return true
				}
			}
		}
	}
	return false
}

// forms are a secret as it is, and as it is when everything in it is undone that
// looks like an escape: so is the text.
func forms(secret string) []string {
	if !strings.ContainsAny(secret, `%&\`) && isASCII(secret) {
		return []string{secret}
	}
	plain := []byte(secret)
	for range maxDepth {
		again := unescape(plain)
		if bytes.Equal(again, plain) {
			break
		}
		plain = again
	}
	if string(plain) == secret {
		return []string{secret}
	}
	return []string{secret, string(plain)}
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

const (
	framed = "-----BEGIN "
	minKey = 20 // shorter texts in the JSON of a key are names of algorithms and the like
)

// parts are what is secret of a value: of PEM what is between the lines that frame
// it, of JSON the texts that are long enough for a key, and no address. Everything else in them is in
// every other key too.
func parts(secret string) []string {
	if members := map[string]any{}; strings.HasPrefix(secret, "{") && json.Unmarshal([]byte(secret), &members) == nil {
		var values []string
		for _, member := range members {
			if text, ok := member.(string); ok && (strings.Contains(text, framed) || len(text) >= minKey && !strings.ContainsAny(text, ":@")) {
				values = append(values, parts(text)...)
			}
		}
		return values
	}
	if strings.Contains(secret, framed) {
		var within strings.Builder
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
				within.WriteString(line)
			}
		}
		return []string{within.String()}
	}
	return []string{secret}
}

// eachRun yields every run of eight characters of a folded text.
func eachRun(text string, yield func(run uint64) bool) {
	var run uint64
	for i := range len(text) {
		run = run<<8 | uint64(text[i])
		if i >= runLength-1 && !yield(run) {
			return
		}
	}
}

// folded returns a text as it is compared.
func folded(text string) []byte {
	out := make([]byte, 0, len(text))
	fold(text, func(c byte) bool {
		out = append(out, c)
		return true
	})
	return out
}

// fold yields what is compared of a text: its characters in lower case, those of
// Latin-1 as one byte, and no blanks, controls and plus signs, so that it does not
// matter where lines were broken, how a form writes blanks, or whether it was UTF-16.
func fold(text string, yield func(c byte) bool) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c = comparedAs[c]; c != 0 && !yield(c) {
				return
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if size > 1 && r <= 0xff {
			if !yield(byte(r)) {
				return
			}
		} else {
			for k := range size {
				if !yield(text[i+k]) {
					return
				}
			}
		}
		i += size
	}
}

// comparedAs are the ASCII characters as they are compared, 0 if they are not.
var comparedAs = func() (table [utf8.RuneSelf]byte) {
	for c := byte('!'); c <= '~'; c++ {
		table[c] = c
		if c >= 'A' && c <= 'Z' {
			table[c] = c + 'a' - 'A'
		}
	}
	table['+'] = 0
	return table
}()

// runs is a set of runs of eight characters. Zero is none: fold yields no zero.
type runs struct {
	slots []uint64
	shift int
}

func newRuns(n int) runs {
	bits := 4
	for 1<<bits < 2*n {
		bits++
	}
	return runs{slots: make([]uint64, 1<<bits), shift: 64 - bits}
}

// slot returns where a run is, or would be.
func (r *runs) slot(run uint64) *uint64 {
	mask := uint64(len(r.slots) - 1)
	for i := run * 0x9e3779b97f4a7c15 >> r.shift; ; i = (i + 1) & mask {
		if at := &r.slots[i]; *at == run || *at == 0 {
			return at
		}
	}
}

func (r *runs) add(run uint64)      { *r.slot(run) = run }
func (r *runs) has(run uint64) bool { return *r.slot(run) != 0 }
