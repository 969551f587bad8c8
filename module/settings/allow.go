package settings

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
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

// Allows reports whether `allow` names an origin, as in https://git.example.com:8443.
func (c *Client) Allows(origin string) (bool, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false, errors.New("what the token is for is not an origin such as https://git.example.com")
	}
	rules, err := c.AllowRules(true)
	if err != nil {
		return false, err
	}
	to := target.TCP(u.Scheme, u.Hostname(), u.Port(), "")
	return slices.ContainsFunc(rules, func(rule target.Rule) bool { return rule.Matches(to) }), nil
}
