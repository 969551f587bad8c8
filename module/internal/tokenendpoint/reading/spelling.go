package reading

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// folded is a name without what spellings differ in: case, and what joins its words.
// Nothing beyond ASCII is the same as anything else, so that a name that folds to one
// of ours is fit to print.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '_', r == '-', r == ' ':
			return -1
		}
		return r
	}, name)
}

// spelled returns the name under which an object has a value that is one, written
// otherwise than we know it, such as refreshToken or Refresh-Token. "" if there is none.
func spelled(object map[string]any, name string, is func(any) bool) string {
	name = folded(name)
	if name == "" {
		return "" // a setting that names nothing finds nothing
	}
	for _, other := range slices.Sorted(maps.Keys(object)) {
		if folded(other) == name && is(object[other]) {
			return other
		}
	}
	return ""
}

func IsToken(value any) bool { return tokenOf(value) != "" }

// BesideAccessToken finds a refresh token that is spelled otherwise, in the object that
// has the access token.
func (r *Reply) BesideAccessToken(accessTokenPath, refreshTokenPath string) (member, token string) {
	for path := range strings.SplitSeq(accessTokenPath, "|") {
		path = strings.TrimSpace(path)
		object, _ := r.Tree.(map[string]any)
		if dot := strings.LastIndexByte(path, '.'); dot >= 0 && r.Value(path) != object[path] {
			object, _ = r.Value(path[:dot]).(map[string]any)
		}
		if isElsewhere(path) || !IsToken(r.Value(path)) {
			continue
		}
		for name := range strings.SplitSeq(LastNames(refreshTokenPath), "|") {
			if member := spelled(object, name, IsToken); member != "" {
				return member, tokenOf(object[member])
			}
		}
	}
	return "", ""
}

// maxNamed is how deep a member lies, at most, that a message names.
const maxNamed = 6

// Lookalike returns the path to a member that is probably meant by a name, "" if there
// is none.
func Lookalike(tree any, name string, is func(any) bool, depth int) string {
	if depth == maxNamed {
		return ""
	}
	var inner func(string) any
	var names []string
	switch tree := tree.(type) {
	case map[string]any:
		if member := spelled(tree, name, is); member != "" {
			return member
		}
		inner = func(name string) any { return tree[name] }
		names = slices.Sorted(maps.Keys(tree))
	case []any:
		inner = func(i string) any { n, _ := strconv.Atoi(i); return tree[n] }
		for i := range tree[:min(len(tree), 3)] {
			names = append(names, strconv.Itoa(i))
		}
	}
	for _, at := range names {
		if !IsCode(at) || isElsewhere(at) {
			continue
		}
		if path := Lookalike(inner(at), name, is, depth+1); path != "" {
			return at + "." + path
		}
	}
	return ""
}

var code = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// IsCode reports whether an error code is fit to be a cause, which is a label of
// metrics too.
func IsCode(s string) bool { return code.MatchString(s) }

// Twin returns a token that stood under a name that a later member repeats.
func (r *Reply) Twin(path string, own map[string]bool) string {
	for name := range strings.SplitSeq(LastNames(path), "|") {
		for _, value := range r.twins[name] {
			if token := tokenOf(value); token != "" && !own[token] {
				return token
			}
		}
	}
	return ""
}
