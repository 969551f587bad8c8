package redact

import (
	"math/bits"
	"slices"
)

const (
	// minSecret is the length from which a value can be told from any other word,
	// minPart the length from which a part of it can.
	minSecret = 4
	minPart   = 8

	// maxWhole is how much of a value is compared that counts whole: what begins
	// within the words that are read ends there too, in any encoding.
	maxWhole = 512

	maxGrams = 96 << 10
)

// grams are the sequences of eight bytes, and of four, that a text holds. A
// sequence of eight is a number, which makes them as quick to find as exact.
type grams struct {
	slots  []uint64 // open addressing; 0 is free
	filter []byte   // a bit for several: most are not there
	shift  int      // of a hash, for the number of a slot
	n      int
}

func newGrams(length int) *grams {
	size := bits.Len(uint(length)*8 + 64)
	return &grams{slots: make([]uint64, 1<<size), filter: make([]byte, 1<<size), shift: 64 - size}
}

// add takes all sequences of a text, and reports false if they are too many.
func (g *grams) add(text string) bool {
	var gram uint64
	for i := range len(text) {
		gram = gram<<8 | uint64(folded[text[i]])
		if i+1 >= minSecret {
			g.insert(short(gram))
		}
		if i+1 >= minPart {
			g.insert(long(gram))
		}
	}
	return g.n < maxGrams
}

// long and short are the numbers of the last eight and four bytes; none is 0. A
// short one has no long one's number but by the strangest of accidents.
func long(gram uint64) uint64  { return gram | b2u(gram == 0) }
func short(gram uint64) uint64 { return (gram&0xffffffff + 1) * 0xd6e8feb86659fd93 }

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func hash(gram uint64) uint64 { return gram * 0x9e3779b97f4a7c15 }

// bit is where the filter says whether there may be a sequence.
func (g *grams) bit(gram uint64) (at uint64, mask byte) {
	h := hash(gram)
	return h >> g.shift, 1 << (h >> (g.shift - 3) & 7)
}

func (g *grams) slot(gram uint64) int {
	i := int(hash(gram) >> g.shift) //nolint:gosec // less than there are slots
	for g.slots[i] != 0 && g.slots[i] != gram {
		i = (i + 1) & (len(g.slots) - 1)
	}
	return i
}

func (g *grams) has(gram uint64) bool {
	at, mask := g.bit(gram)
	return g.filter[at]&mask != 0 && g.slots[g.slot(gram)] != 0
}

func (g *grams) insert(gram uint64) {
	i := g.slot(gram)
	if g.slots[i] != 0 || g.n >= maxGrams {
		return
	}
	if g.n++; g.n > len(g.slots)/4*3 {
		g.grow()
		i = g.slot(gram)
	}
	at, mask := g.bit(gram)
	g.slots[i], g.filter[at] = gram, g.filter[at]|mask
}

func (g *grams) grow() {
	larger := &grams{slots: make([]uint64, 2*len(g.slots)), filter: make([]byte, 2*len(g.slots)), shift: g.shift - 1}
	for _, gram := range g.slots {
		if gram != 0 {
			larger.insert(gram)
		}
	}
	n := g.n
	*g = *larger
	g.n = n
}

// part reports whether the text holds eight characters of a secret in a row, or
// the whole of one that is shorter or an ordinary word.
func (g *grams) part(secret string) bool {
	if len(secret) >= minPart && isPlain(secret) {
		return g.run(secret) || g.base64Of(secret) || ordinary.whole(secret) && g.whole(secret)
	}
	for _, form := range forms(secret) {
		if g.run(form) || len(form) < minPart && g.all(form) {
			return true
		}
	}
	return g.base64Of(secret) || ordinary.whole(secret) && g.whole(secret)
}

// run reports whether eight characters in a row are there that are not ordinary.
func (g *grams) run(secret string) bool {
	var gram uint64
	for i := range len(secret) {
		gram = gram<<8 | uint64(folded[secret[i]])
		if i+1 >= minPart && g.has(long(gram)) && !ordinary.has(long(gram)) {
			return true
		}
	}
	return false
}

// base64Of finds six bytes of a secret as eight characters of base64, which a change
// of case leaves recognisable though nobody can decode it. Eight bytes hold such
// six, wherever a group of base64 begins.
func (g *grams) base64Of(secret string) bool {
	var triple uint
	var third, second, first uint64 // groups of four characters, that began so many bytes before
	for i := range len(secret) {
		triple = triple<<8&0xffffff | uint(secret[i])
		group := base64Pairs[triple>>12]<<16 | base64Pairs[triple&0xfff]
		if i >= 5 && g.has(third<<32|group) {
			return true
		}
		third, second, first = second, first, group
	}
	return false
}

// base64Pairs are two folded characters of base64 for every twelve bits.
var base64Pairs = func() (pairs [1 << 12]uint64) {
	const characters = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range pairs {
		pairs[i] = uint64(characters[i>>6])<<8 | uint64(characters[i&0x3f])
	}
	return pairs
}()

// whole reports whether the text holds all of a value.
func (g *grams) whole(value string) bool {
	if len(value) < minSecret {
		return false
	}
	value = value[:min(len(value), maxWhole)]
	if isPlain(value) {
		return g.all(value)
	}
	return slices.ContainsFunc(forms(value), g.all)
}

// all reports whether every sequence of a value is there.
func (g *grams) all(value string) bool {
	if len(value) < minSecret {
		return false
	}
	var gram uint64
	for i := range len(value) {
		gram = gram<<8 | uint64(folded[value[i]])
		switch {
		case len(value) < minPart && i+1 >= minSecret && !g.has(short(gram)),
			i+1 >= minPart && !g.has(long(gram)):
			return false
		}
	}
	return true
}
