// Package nearest answers which of the known words somebody may have meant by another one.
//
// It knows letters. It must not know what the words mean.
package nearest

import (
	"fmt"
	"strings"
)

// Hint is " (did you mean <known>?)" for the known word that is nearest to another one, ""
// if none is near enough to be meant.
func Hint(word string, known ...string) string {
	if found := To(word, known...); found != "" {
		return fmt.Sprintf(" (did you mean %s?)", found)
	}
	return ""
}

// maxWord bounds the words that are compared, in bytes: the work grows with their square.
const maxWord = 64

// To returns the known word that is nearest to another one: by up to a third of its letters,
// whatever their case, and - is as good as _. "" if none is.
func To(word string, known ...string) (found string) {
	plain := plainly(word)
	if len(plain) > maxWord {
		return ""
	}
	least := max(1, len(plain)/3) + 1
	for _, candidate := range known {
		if candidate == "" || candidate == word {
			continue
		}
		if d := distance(plain, plainly(candidate)); d < least {
			found, least = candidate, d
		}
	}
	return found
}

func plainly(word string) string { return strings.ToLower(strings.ReplaceAll(word, "-", "_")) }

// distance counts the letters that are to be put in, taken out, replaced, or exchanged with
// their neighbour.
func distance(a, b string) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		next[0] = i + 1
		for j := range b {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			next[j+1] = min(replaced, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
