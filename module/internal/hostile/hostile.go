// Package hostile is for tests alone: words that nobody may print as they are.
package hostile

import (
	"testing"
	"unicode"
)

// Text are characters that steer a terminal, or turn what is read around it.
const Text = "\x1b[2J\u009b31m\u202e\u2066\u200f\u061c\u200b\u2028\x00\x7f\xff"

// CheckPrintable fails if a text holds a character that does not show. Lines are those of
// our own.
func CheckPrintable(t testing.TB, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s: prints %U: %q", what, r, text)
			return
		}
	}
}
