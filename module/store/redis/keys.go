package redis

import (
	"strings"

	"lamplighter/module/store"
)

// keys are the names of keys and of the channel: what they begin with.
type keys string

// object is the key of an object. Braces are no part of a client's name.
func (k keys) object(name string) string {
	if part, ok := store.ClaimsPart(name); ok {
		return string(k) + "{claims}." + part
	}
	return string(k) + "{" + name + "}:record"
}

// name is that of the object whose key it is.
func (k keys) name(key string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(key, string(k)+"{")
	if !ok {
		return "", false
	}
	if name, ok := strings.CutSuffix(rest, "}:record"); ok {
		return name, true
	}
	part, ok := strings.CutPrefix(rest, "claims}.")
	return store.ClaimsName(part), ok && len(part) == 2
}

func (k keys) lease(name string) string { return string(k) + "{" + name + "}:lease" }

func (k keys) channel() string { return string(k) + "changes" }

// pattern matches the keys of objects, and others.
func (k keys) pattern() string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(string(k)) + "{*"
}
