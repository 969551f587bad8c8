package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lamplighter/module/nearest"
)

// nearMisses are about values that are allowed, since an API may want them, and that are
// nearly those of the standards.
func (c *Client) nearMisses() (list []string) {
	if !knownGrants[c.GrantType] {
		if meant := nearest.To(c.GrantType, slices.Sorted(maps.Keys(knownGrants))...); meant != "" {
			list = append(list, fmt.Sprintf("grant_type %s is sent as it is, and nothing that this grant needs is; write 'grant_type %s' if that is meant", c.GrantType, meant))
		}
	}
	for _, scope := range c.Scope {
		if strings.Contains(scope, ",") {
			list = append(list, fmt.Sprintf("scope %s has a comma, and is sent as one scope: scopes are separated by blanks (RFC 6749 section 3.3); write 'scope %s' if that is meant", scope, strings.Join(strings.FieldsFunc(scope, func(r rune) bool { return r == ',' || r == ' ' }), " ")))
		}
	}
	for _, matcher := range c.TerminalErrors {
		for word := range strings.FieldsSeq(matcher) {
			if meant := nearest.To(word, oauthErrors...); meant != "" && !slices.Contains(oauthErrors, word) {
				list = append(list, fmt.Sprintf("terminal_errors %s is nearly an error code of OAuth, and matches no other; write %s if that is meant", word, meant))
			}
		}
	}
	if path := relativePath(c.Store); path != "" {
		list = append(list, fmt.Sprintf("store: path %s is below whatever directory the process is started in, so that the record is missed in another one; write an absolute path", path))
	}
	return list
}

// oauthErrors are the codes of RFC 6749 section 5.2.
var oauthErrors = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_token"}

// relativePath is that of a store of files, "" if it has none.
func relativePath(store json.RawMessage) string {
	var file struct{ Kind, Path string }
	if json.Unmarshal(store, &file) != nil || file.Path == "" || filepath.IsAbs(file.Path) || strings.Contains(file.Path, "{") || file.Kind != "" && file.Kind != "file" {
		return ""
	}
	return file.Path
}
