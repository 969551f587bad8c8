package tokenendpoint

import (
	"encoding/json"
	"regexp"
	"strings"
)

// salvage looks for a refresh token in the text of an answer that is neither whole
// JSON nor a form: the server has replaced the old one, whatever it wrote around
// the new one.
func (r *reply) salvage(path string) string {
	if r.html || r.err == nil && r.tree != nil {
		return ""
	}
	for alternative := range strings.SplitSeq(path, "|") {
		name := strings.TrimSpace(alternative)
		if strings.HasPrefix(name, "header:") || strings.HasPrefix(name, "cookie:") || strings.HasPrefix(name, "@") {
			continue
		}
		name = name[strings.LastIndexByte(name, '.')+1:]
		if hasMember(r.tree, name) {
			continue // what was read whole has one elsewhere: the request's, repeated
		}
		member := regexp.MustCompile(`"` + regexp.QuoteMeta(name) + `"\s*:\s*("(?:[^"\\]|\\.)+")`)
		var text string
		if found := member.FindSubmatch(r.body); found != nil && json.Unmarshal(found[1], &text) == nil {
			return text
		}
	}
	return ""
}

// hasMember reports whether a member of that name is anywhere in a value.
func hasMember(value any, name string) bool {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if key == name || hasMember(inner, name) {
				return true
			}
		}
	case []any:
		for _, inner := range value {
			if hasMember(inner, name) {
				return true
			}
		}
	}
	return false
}
