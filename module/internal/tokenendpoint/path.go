package tokenendpoint

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// find returns the text of the first alternative of a path that is there and
// not empty.
func (r *reply) find(path string) string {
	for alternative := range strings.SplitSeq(path, "|") {
		if text := r.text(strings.TrimSpace(alternative)); text != "" {
			return text
		}
	}
	return ""
}

// text reads one path: "header:X", "cookie:X", "@body" or a dotted path into
// the body. Only strings, numbers, booleans and lists of one of
// them have a text.
func (r *reply) text(path string) string {
	if path == "@body" && r.err != nil {
		return "" // a part of it
	}
	if path == "@body" {
		return strings.TrimSpace(string(r.body))
	}
	if name, ok := strings.CutPrefix(path, "header:"); ok {
		return r.header.Get(name)
	}
	if name, ok := strings.CutPrefix(path, "cookie:"); ok {
		for _, cookie := range (&http.Response{Header: r.header}).Cookies() {
			if cookie.Name == name {
				return cookie.Value
			}
		}
		return ""
	}
	return scalar(lookup(r.tree, path))
}

// lookup follows a dotted path. A key that itself holds dots is found too, and
// the elements of arrays by their index.
func lookup(node any, path string) any {
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

func scalar(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	case []any:
		if len(value) == 1 {
			return scalar(value[0])
		}
	}
	return ""
}
