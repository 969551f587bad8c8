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
		member := regexp.MustCompile(`"` + regexp.QuoteMeta(name) + `"\s*:\s*("(?:[^"\\]|\\.)+")`)
		var text string
		if found := member.FindSubmatch(r.body); found != nil && json.Unmarshal(found[1], &text) == nil {
			return text
		}
	}
	return ""
}
