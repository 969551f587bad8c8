package tokenendpoint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lamplighter/module/internal/redact"
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

func isToken(value any) bool { return tokenOf(value) != "" }

// besideAccessToken finds a refresh token that is spelled otherwise, in the object that
// has the access token.
func (r *reply) besideAccessToken(accessTokenPath, refreshTokenPath string) (member, token string) {
	for path := range strings.SplitSeq(accessTokenPath, "|") {
		path = strings.TrimSpace(path)
		object, _ := r.tree.(map[string]any)
		if dot := strings.LastIndexByte(path, '.'); dot >= 0 && r.value(path) != object[path] {
			object, _ = r.value(path[:dot]).(map[string]any)
		}
		if isElsewhere(path) || !isToken(r.value(path)) {
			continue
		}
		for name := range strings.SplitSeq(lastNames(refreshTokenPath+"|"+refreshTokenMember), "|") {
			if member := spelled(object, name, isToken); member != "" {
				return member, tokenOf(object[member])
			}
		}
	}
	return "", ""
}

// maxNamed is how deep a member lies, at most, that a message names.
const maxNamed = 6

// lookalike returns the path to a member that is probably meant by a name, "" if there
// is none.
func lookalike(tree any, name string, is func(any) bool, depth int) string {
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
		if !isCode(at) || isElsewhere(at) {
			continue
		}
		if path := lookalike(inner(at), name, is, depth+1); path != "" {
			return at + "." + path
		}
	}
	return ""
}

// elsewhere says which members of an answer are probably meant by those that it does
// not have, and which settings name them. No value of one is told.
func (c *Client) elsewhere(r *reply, secrets *redact.Secrets) string {
	settings := []string{}
	for _, s := range []struct {
		setting, path string
		is            func(any) bool
	}{
		{"access_token_path", c.dialect.AccessTokenPath, isToken},
		{"refresh_token_path", c.dialect.RefreshTokenPath, func(v any) bool { return isToken(v) && !c.dialect.IgnoreRefreshToken }},
		{"expires_path", c.dialect.ExpiresPath, func(v any) bool { return scalar(v) != "" && c.dialect.ExpiresFormat != "none" }},
	} {
		if s.is(r.value(s.path)) || r.find(s.path) != "" {
			continue
		}
		for name := range strings.SplitSeq(lastNames(s.path), "|") {
			path := lookalike(r.tree, name, s.is, 0)
			if path == "" || strings.ContainsAny(path, " |") || len(path) > maxCode || secrets.Reveals(path) {
				continue
			}
			settings = append(settings, fmt.Sprintf("'%s %s'", s.setting, path))
			break
		}
	}
	if len(settings) == 0 {
		return ""
	}
	return "; to use what it has under another name or place, set " + strings.Join(settings, " and ")
}
