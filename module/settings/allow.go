package settings

import (
	"fmt"
	"strings"

	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
)

// AllowRules compiles the values of `allow`. Placeholders are resolved, unless
// this is about what is wrong with any environment.
func (c *Client) AllowRules(resolve bool) ([]target.Rule, error) {
	rules := make([]target.Rule, 0, len(c.Allow))
	for _, text := range c.Allow {
		if strings.Contains(text, "{") {
			if !resolve {
				continue
			}
			var r placeholder.Resolver
			if text = r.Value("allow", text); r.Err != nil {
				return nil, r.Err
			}
			if len(r.Missing) > 0 {
				continue
			}
		}
		rule, err := target.ParseRule(text)
		if err != nil {
			if strings.Contains(text, "@") {
				text = "…" // it may hold a password
			}
			return nil, fmt.Errorf("allow %s: %w", text, err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}
