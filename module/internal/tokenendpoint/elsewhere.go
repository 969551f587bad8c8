package tokenendpoint

import (
	"fmt"
	"strings"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// elsewhere says which members of an answer are probably meant by those that it does
// not have, and which settings name them. No value of one is told.
func (c *Client) elsewhere(r *reading.Reply, secrets *redact.Secrets) string {
	settings := []string{}
	for _, s := range []struct {
		setting, path string
		is            func(any) bool
	}{
		{"access_token_path", c.dialect.AccessTokenPath, reading.IsToken},
		{"refresh_token_path", c.dialect.RefreshTokenPath, func(v any) bool { return reading.IsToken(v) && !c.dialect.IgnoreRefreshToken }},
		{"expires_path", c.dialect.ExpiresPath, func(v any) bool { return reading.Scalar(v) != "" && c.dialect.ExpiresFormat != "none" }},
	} {
		if s.is(r.Value(s.path)) || r.Find(s.path) != "" {
			continue
		}
		for name := range strings.SplitSeq(reading.LastNames(s.path), "|") {
			path := reading.Lookalike(r.Tree, name, s.is, 0)
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
