package reading

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Find returns the text of the first alternative of a path that is there and
// not empty.
func (r *Reply) Find(path string) string {
	for alternative := range strings.SplitSeq(path, "|") {
		if text := r.Text(strings.TrimSpace(alternative)); text != "" {
			return text
		}
	}
	return ""
}

// FindToken returns the first alternative of a path that is a token.
func (r *Reply) FindToken(path string) string {
	for alternative := range strings.SplitSeq(path, "|") {
		alternative = strings.TrimSpace(alternative)
		if alternative == "@body" && (r.Form == isJSON || r.Form == IsHTML || r.Form == IsXML) {
			continue
		}
		if text := tokenOf(r.Value(alternative)); text != "" {
			return text
		}
	}
	return ""
}

// tokenOf returns a value that is a token: text, or the digits of a number, alone or
// as the one element of a list. A token has no blanks around it, and is none of the
// words and signs that stand for nothing, or for what somebody hid.
func tokenOf(value any) string {
	text := ""
	switch value := value.(type) {
	case string:
		text = strings.TrimSpace(value)
	case json.Number:
		if text = value.String(); strings.Trim(text, "0123456789") != "" {
			return ""
		}
	case map[string]any: // some servers write the lifetime beside it
		for _, name := range []string{"value", "token"} {
			if inner, ok := value[name].(string); ok && text == "" {
				text = strings.TrimSpace(inner)
			}
		}
	case []any:
		if len(value) == 1 {
			if _, list := value[0].([]any); !list {
				return tokenOf(value[0])
			}
		}
	}
	switch strings.ToLower(text) {
	case "null", "nil", "none", "undefined", "nan", "true", "false",
		"(null)", "n/a", "[object object]", "redacted", "[redacted]", "<redacted>", "[filtered]", "***redacted***":
		return ""
	}
	if strings.Trim(text, "0") == "" || strings.Trim(text, "*•-.") == "" {
		return ""
	}
	return text
}

// isElsewhere recognises the paths that lead elsewhere than into the JSON.
func isElsewhere(path string) bool {
	return strings.HasPrefix(path, "header:") || strings.HasPrefix(path, "cookie:") || strings.HasPrefix(path, "@")
}

// Text reads one path: "header:X", "cookie:X", "@body" or a dotted path into
// the body. Only strings, numbers, booleans and lists of one of
// them have a text.
func (r *Reply) Text(path string) string { return Scalar(r.Value(path)) }

// Value is what stands at one path.
func (r *Reply) Value(path string) any {
	if path == "@body" && r.Err != nil {
		return nil // a part of it
	}
	if path == "@body" {
		return strings.TrimSpace(string(r.Body))
	}
	if name, ok := strings.CutPrefix(path, "header:"); ok {
		return r.Header.Get(name)
	}
	if name, ok := strings.CutPrefix(path, "cookie:"); ok {
		for _, cookie := range (&http.Response{Header: r.Header}).Cookies() {
			if cookie.Name == name {
				return cookie.Value
			}
		}
		return nil
	}
	return lookup(r.Tree, path)
}

// lookup follows a dotted path. A key that itself holds dots is found too, and
// the elements of arrays by their index.
func lookup(node any, path string) any {
	if path == "" {
		return nil // whatever a server calls so, no setting names it
	}
	switch node := node.(type) {
	case map[string]any:
		if value, ok := node[path]; ok {
			return value
		}
		for i := range path {
			if path[i] != '.' {
				continue
			}
			if inner, ok := node[path[:i]]; ok {
				return lookup(inner, path[i+1:])
			}
		}
	case []any:
		head, rest, deeper := strings.Cut(path, ".")
		i, err := strconv.Atoi(head)
		if err != nil || i < 0 || i >= len(node) {
			return nil
		}
		if deeper {
			return lookup(node[i], rest)
		}
		return node[i]
	}
	return nil
}

func Scalar(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	case []any:
		if len(value) == 1 {
			return Scalar(value[0])
		}
	}
	return ""
}
