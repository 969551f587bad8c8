package tokenendpoint

import (
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// tokens are what an answer that is not as it should be may hold: an object with
// the tokens, found by the shape of its members, wherever it stands.
type tokens struct {
	in            any    // where the answer's other members are
	refreshToken  string // "" if the grant has none
	accessToken   string
	whole         bool
	otherRotation bool // there is another one, with another refresh token
}

// hidden looks for tokens in whatever a server's runtime, debugger or gateway made
// of an answer. Of several objects the last whole one with both tokens counts. A
// refresh token alone counts only where no object has an access token: it may be a
// masked one that a debugger shows. A value of our own request is none.
func (c *Client) hidden(r *reply, own map[string]bool) (best tokens) {
	rank, text, ends := 0, string(r.body), r.err == nil && !r.endless
	consider := func(found tokens) {
		at := found.rank()
		other := best.otherRotation || found.refreshToken != "" && best.refreshToken != "" && best.refreshToken != found.refreshToken
		if at > 0 && at >= rank {
			best, rank = found, at
		}
		best.otherRotation = other
	}
	if r.form == isForm {
		c.walk(r.tree, r.err == nil, maxWrappings, own, consider)
	}
	c.search(text, ends, 0, own, consider)
	if rank == 0 {
		if ends {
			text += "\n"
		}
		if t, ok := c.labelled(text, own); ok {
			return t
		}
	}
	return best
}

// rank says which of several objects counts, 0 for one that does not.
func (t *tokens) rank() int {
	switch both := t.refreshToken != "" && t.accessToken != ""; {
	case both && t.whole:
		return 5
	case both:
		return 4
	case t.accessToken != "" && t.whole:
		return 3
	case t.refreshToken != "" && t.whole:
		return 2
	case t.refreshToken != "":
		return 1
	}
	return 0
}

// maxWrappings is how many texts within texts are looked into.
const maxWrappings = 4

// search calls found for everything in a text that may be tokens: JSON objects,
// also in texts of others or escaped as in a page, and pairs as in a form.
func (c *Client) search(text string, ends bool, depth int, own map[string]bool, found func(tokens)) {
	if depth == maxWrappings {
		return
	}
	within := 0 // the end of one that was cut and has an access token: see walk
	for o := range objects([]byte(text)) {
		if o.start < within {
			continue
		}
		c.walk(o.tree, o.whole, depth, own, found)
		if object, ok := o.tree.(map[string]any); ok && !o.whole && c.tokensIn(object, false, own).accessToken != "" {
			within = o.end
		}
	}
	if strings.Contains(text, "&") {
		if plain := html.UnescapeString(text); plain != text {
			c.search(plain, ends, depth+1, own, found)
		}
	}
	if strings.Contains(text, `\"`) || strings.Contains(text, `\u0022`) {
		c.search(unquote([]byte(text)), ends, depth+1, own, found)
	}
	names := lastNames(c.dialect.AccessTokenPath + "|" + c.dialect.RefreshTokenPath)
	if pairs := pairsOf(text, ends, strings.Split(names, "|"), own); len(pairs) > 0 {
		c.walk(pairs, true, maxWrappings, own, found)
	}
}

// walk looks for tokens in a value, at the paths of the dialect or at any depth. What
// stands within an object that has an access token itself says something about its
// tokens, such as their lifetimes or types, under the same names.
func (c *Client) walk(value any, whole bool, depth int, own map[string]bool, found func(tokens)) {
	switch value := value.(type) {
	case map[string]any:
		if t := c.tokensIn(value, whole, own); t.refreshToken != "" || t.accessToken != "" {
			if found(t); t.accessToken != "" {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			c.walk(value[name], whole, depth, own, found)
		}
	case []any:
		for _, inner := range value {
			c.walk(inner, whole, depth, own, found)
		}
	case string:
		if depth < maxWrappings && strings.ContainsAny(value, "{=") {
			c.search(value, whole, depth+1, own, found)
		}
	}
}

// tokensIn reads an object: where the dialect has its tokens, or by their own names, in
// any spelling.
func (c *Client) tokensIn(object map[string]any, whole bool, own map[string]bool) tokens {
	r := &reply{tree: object}
	t := tokens{in: object, whole: whole}
	find := func(path string) string {
		if text := r.findToken(path); text != "" && !own[text] {
			return text
		}
		if text := r.findToken(lastNames(path)); text != "" && !own[text] {
			return text
		}
		for name := range strings.SplitSeq(lastNames(path), "|") {
			member := spelled(object, name, isToken)
			if text := tokenOf(object[member]); member != "" && text != "" && !own[text] {
				return text
			}
		}
		return ""
	}
	t.accessToken = find(c.dialect.AccessTokenPath)
	if !c.dialect.IgnoreRefreshToken {
		t.refreshToken = find(c.dialect.RefreshTokenPath)
	}
	return t
}

// lastNames are the last names of the alternatives of a path.
func lastNames(path string) string {
	var names []string
	for alternative := range strings.SplitSeq(path, "|") {
		name := strings.TrimSpace(alternative)
		if !isElsewhere(name) {
			names = append(names, name[strings.LastIndexByte(name, '.')+1:])
		}
	}
	return strings.Join(names, "|")
}

// pairsOf reads the pairs name=value that stand in a text, and that something ends;
// the end of the text does only if that is known to be the end. Of several pairs of a
// name the last counts that is none of our own.
func pairsOf(text string, ends bool, names []string, own map[string]bool) map[string]any {
	pairs := make(map[string]any)
	for _, name := range names {
		for rest := text; name != ""; {
			at := strings.Index(rest, name+"=")
			if at < 0 {
				break
			}
			alone := at == 0 || !isNameByte(rest[at-1])
			rest = rest[at+len(name)+1:]
			end := strings.IndexAny(rest, "& \t\r\n\"'<>,;})]")
			if end < 0 && !ends {
				break
			}
			if end < 0 {
				end = len(rest)
			}
			if value, err := url.PathUnescape(rest[:end]); alone && err == nil && !own[value] {
				pairs[name] = value
			}
		}
	}
	return pairs
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '_' || c == '-' || c == '.'
}
