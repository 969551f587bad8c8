package tokenendpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// canonicalParams are the parameters that ParamNames may rename.
var canonicalParams = []string{
	"client_id", "grant_type", "client_secret", "refresh_token", "username", "password",
	"client_assertion_type", "client_assertion",
	"assertion", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type",
	"scope", "audience", "resource", "authorization_details",
}

// param is one parameter of a token request, by its name on the wire.
type param struct {
	name   string
	values []string
	typed  bool // values may be "json:…"
	json   bool // values are JSON
}

// params lists the parameters in the order of Tencent EIAM's examples, which is
// as good as any other.
func (c *Client) params(r *Request) []param {
	var list []param
	add := func(canonical string, values ...string) {
		name := canonical
		if wire, ok := c.dialect.ParamNames[canonical]; ok {
			name = wire
		}
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if name != "-" && len(values) > 0 {
			list = append(list, param{name: name, values: values})
		}
	}
	inParams := c.dialect.AuthMethod == "client_secret_post"
	if c.dialect.NamesClient || inParams || r.ReadyAssertion != nil || c.dialect.AuthMethod == "none" || c.dialect.mutualTLS() {
		add("client_id", r.ClientID)
	}
	if c.dialect.GrantType != "-" {
		add("grant_type", c.dialect.GrantType)
	}
	if inParams {
		add("client_secret", r.ClientSecret)
	}
	if r.clientAssertion != "" {
		add("client_assertion_type", cmp.Or(c.dialect.AssertionType, jwtAssertion))
		add("client_assertion", r.clientAssertion)
	}
	add("refresh_token", r.RefreshToken)
	add("username", r.Username)
	add("password", r.Password)
	add("assertion", r.Assertion)
	add("subject_token", r.SubjectToken)
	add("subject_token_type", r.SubjectTokenType)
	add("actor_token", r.ActorToken)
	add("actor_token_type", r.ActorTokenType)
	add("requested_token_type", r.RequestedTokenType)
	add("scope", strings.Join(r.Scope, " "))
	add("audience", r.Audience...)
	add("resource", r.Resource...)
	before := len(list)
	if add("authorization_details", r.AuthorizationDetails); len(list) > before {
		list[before].json = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		list = append(list, param{name: name, values: r.Params[name], typed: true})
	}
	return list
}

// urlEncode writes parameters for a query or a form. A space becomes %20, which
// every server reads, and not a plus sign, which some take literally.
func urlEncode(list []param) string {
	var b strings.Builder
	for _, p := range list {
		for _, v := range p.values {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(escape(p.name) + "=" + escape(v))
		}
	}
	return b.String()
}

func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// jsonEncode writes parameters as a JSON object. Dotted names nest, a value
// "json:…" of the setting param is the JSON after the colon, several values become an array.
func jsonEncode(list []param) ([]byte, error) {
	root := map[string]any{}
	for _, p := range list {
		values := make([]any, len(p.values))
		for i, v := range p.values {
			values[i] = v
			typed, ok := strings.CutPrefix(v, "json:")
			if ok = ok && p.typed || p.json; ok {
				if !json.Valid([]byte(typed)) {
					return nil, fmt.Errorf("the value of param %s is no JSON after 'json:'", p.name)
				}
				values[i] = json.RawMessage(typed)
			}
		}
		path := strings.Split(p.name, ".")
		object := root
		for _, key := range path[:len(path)-1] {
			inner, ok := object[key].(map[string]any)
			if !ok && object[key] != nil {
				return nil, fmt.Errorf("param %s nests in a parameter that has a value of its own", p.name)
			}
			if !ok {
				inner = map[string]any{}
				object[key] = inner
			}
			object = inner
		}
		last := path[len(path)-1]
		if object[last] != nil {
			return nil, fmt.Errorf("param %s is there twice", p.name)
		}
		object[last] = any(values)
		if len(values) == 1 {
			object[last] = values[0]
		}
	}
	return json.Marshal(root)
}
