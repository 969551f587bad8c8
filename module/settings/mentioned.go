package settings

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"lamplighter/module/placeholder"
)

var otherTokens = regexp.MustCompile(`\{(oauth2_client\.[^{}]+)\}`)

// Mentioned lists the clients whose access tokens the settings hold, as in
// {oauth2_client.<name>.access_token}.
func (c *Client) Mentioned() []string {
	names := make(map[string]bool)
	for _, values := range []map[string][]string{c.Param, c.Header} {
		for _, list := range values {
			for _, match := range otherTokens.FindAllStringSubmatch(strings.Join(list, "\n"), -1) {
				if name, ok := placeholder.OtherClient(match[1]); ok {
					names[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
