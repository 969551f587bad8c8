// Package redact is the one place where foreign words become ours: whatever a
// server, a certificate, a redirect, a caller or a file says, and that a person or
// a log may see, is bounded and escaped here, and withheld if it holds a secret.
//
// It accepts every byte sequence and never fails.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

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
// request: they are found whole only.
func (s *Secrets) AddWhole(values ...string) { s.whole = append(s.whole, values...) }

// Reveals reports whether a text holds a secret.
func (s *Secrets) Reveals(text string) bool {
	text = strings.ToLower(text)
	if s != nil && (holds(text, s.values) || holds(text, s.whole)) {
		return true
	}
	return holds(text, remembered.all())
}

func holds(text string, values []string) bool {
	for _, v := range values {
		if len(v) < minSecret {
			continue
		}
		for _, form := range []string{
			v, url.QueryEscape(v), url.PathEscape(v), hex.EncodeToString([]byte(v)),
			base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)),
		} {
			if strings.Contains(text, strings.ToLower(form)) {
				return true
			}
		}
	}
	return false
}

// minSecret is the length from which a value can be told from any other word.
const minSecret = 4

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
