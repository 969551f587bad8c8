package redact

import "strings"

// unquoted are the characters that a shell takes as they are.
const unquoted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+=,-"

// Quoted returns a word of a command as a shell takes it: in single quotes, if it holds
// anything that a shell would read otherwise.
func Quoted(word string) string {
	if strings.Trim(word, unquoted) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
