// Package redact is the one place where foreign words become ours: whatever a
// server, a certificate, a redirect, a caller or a file says, and that a person or
// a log may see, is bounded and escaped here, and withheld if it holds a secret.
//
// It accepts every byte sequence, never fails, and costs no more than the length
// of the secrets and 8 KiB of words do.
package redact

import "slices"

// Secrets are the values of one exchange that must not be printed, in whatever way
// a server or a library may echo them. The nil *Secrets knows those that the
// process remembers, as every other does too.
type Secrets struct {
	values []string // a part of one is as secret
	whole  []string
}

// Withheld stands for words that hold a secret. Taking out what we recognise is
// not enough then: the rest may be more of it.
const Withheld = "words withheld, because they hold a secret"

// Add takes further secrets: a part of one, of eight characters or more, withholds
// the words that hold it. One that is shorter counts whole, and what is shorter
// than four characters never: it is found in any text.
func (s *Secrets) Add(values ...string) {
	for _, v := range values {
		s.values = append(s.values, parts(v)...)
	}
}

// AddWhole takes values that may be secret or not, like the parameters of a
// request: they are found whole only, and not at all if they are ordinary words.
func (s *Secrets) AddWhole(values ...string) {
	for _, v := range values {
		if !isWord(v) {
			s.whole = append(s.whole, v)
		}
	}
}

// Reveals reports whether a text holds a secret, in any of the usual encodings.
// What is not undone with reasonable work is taken to hold one.
func (s *Secrets) Reveals(text string) bool {
	if s == nil {
		s = new(Secrets)
	}
	if len(text) < minSecret || len(s.values)+len(s.whole) == 0 && remembered.empty() {
		return false
	}
	held, undone := undo(text)
	return !undone || s.in(held) || remembered.in(held)
}

func (s *Secrets) in(held *grams) bool {
	return slices.ContainsFunc(s.values, held.part) || slices.ContainsFunc(s.whole, held.whole)
}

// Quote makes foreign words fit to stand within a sentence of ours: quoted,
// escaped and bounded, or withheld.
func (s *Secrets) Quote(words string) string {
	if s.Reveals(words) {
		return Withheld
	}
	return `"` + escape(words, maxWords, true) + `"`
}

// Text makes a line that may hold foreign words, like the text of an error, fit to
// print: escaped and bounded, or withheld. It may pass again.
func (s *Secrets) Text(text string) string {
	if s.Reveals(text) {
		return Withheld
	}
	return escape(text, maxText, false)
}

// Quote is Secrets.Quote with the secrets that the process remembers.
func Quote(words string) string { return (*Secrets)(nil).Quote(words) }

// Text is Secrets.Text with the secrets that the process remembers.
func Text(text string) string { return (*Secrets)(nil).Text(text) }
