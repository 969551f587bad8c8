// Package redact is the one place where foreign words become ours: whatever a
// server, a certificate, a redirect, a caller or a file says, and that a person or
// a log may see, is bounded and escaped here, and withheld if it holds a secret.
//
// It accepts every byte sequence and never fails.
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
func (s *Secrets) Add(values ...string) { s.values = append(s.values, values...) }

// AddWhole takes values that may be secret or not, like the parameters of a
// request: of eight characters or more, and found whole only.
func (s *Secrets) AddWhole(values ...string) { s.whole = append(s.whole, values...) }

// Reveals reports whether a text holds a secret, in any encoding that servers and
// libraries use, or nested in several of them. What is encoded deeper than that
// counts as one.
func (s *Secrets) Reveals(text string) bool {
	if s == nil {
		s = new(Secrets)
	}
	remembered := remembered.all()
	if text == "" || len(s.values)+len(s.whole)+len(remembered) == 0 {
		return false
	}
	in := newSearch(text)
	return in.opaque || slices.ContainsFunc(s.values, in.holdsPart) ||
		slices.ContainsFunc(s.whole, in.holdsWhole) || slices.ContainsFunc(remembered, in.holdsPart)
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
// print: escaped and bounded, or withheld.
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
