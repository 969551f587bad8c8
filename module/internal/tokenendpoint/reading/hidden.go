package reading

import (
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Places are where an answer is to have what it holds: paths as in [Reply.Find].
type Places struct {
	AccessToken, RefreshToken, IDToken, Expires string

	NoRefreshToken bool // one that is there is of no use
}

// Tokens are what an answer that is not as it should be may hold: an object with
// the tokens, found by the shape of its members, wherever it stands.
type Tokens struct {
	In            any    // where the answer's other members are
	RefreshToken  string // "" if the grant has none
	AccessToken   string
	OtherRotation bool // there is another one, with another refresh token

	whole bool
}

// Hidden looks for tokens in whatever a server's runtime, debugger or gateway made
// of an answer. Of several objects the last whole one with both tokens counts. A
// refresh token alone counts only where no object has an access token: it may be a
// masked one that a debugger shows. A value of our own request is none.
func (r *Reply) Hidden(p Places, own map[string]bool) (best Tokens) {
	rank, text, ends := 0, string(r.Body), r.Err == nil && !r.endless
	consider := func(found Tokens) {
		at := found.rank()
		other := best.OtherRotation || found.RefreshToken != "" && best.RefreshToken != "" && best.RefreshToken != found.RefreshToken
		if at > 0 && at >= rank {
			best, rank = found, at
		}
		best.OtherRotation = other
	}
	if r.Form == IsForm {
		p.walk(r.Tree, r.Err == nil, maxWrappings, own, consider)
	}
	p.search(text, ends, 0, own, consider)
	if rank == 0 {
		if ends {
			text += "\n"
		}
		if t, ok := p.labelled(text, own); ok {
			return t
		}
	}
	return best
}

// rank says which of several objects counts, 0 for one that does not.
func (t *Tokens) rank() int {
	switch both := t.RefreshToken != "" && t.AccessToken != ""; {
	case both && t.whole:
		return 5
	case both:
		return 4
	case t.AccessToken != "" && t.whole:
		return 3
	case t.RefreshToken != "" && t.whole:
		return 2
	case t.RefreshToken != "":
		return 1
	}
	return 0
}

// maxWrappings is how many texts within texts are looked into.
const maxWrappings = 4

// search calls found for everything in a text that may be tokens: JSON objects,
// also in texts of others or escaped as in a page, and pairs as in a form.
func (p Places) search(text string, ends bool, depth int, own map[string]bool, found func(Tokens)) {
	if depth == maxWrappings {
		return
	}
	within := 0 // the end of one that was cut and has an access token: see walk
	for o := range Objects([]byte(text)) {
		if o.start < within {
			continue
		}
		p.walk(o.Tree, o.Whole, depth, own, found)
		if object, ok := o.Tree.(map[string]any); ok && !o.Whole && p.tokensIn(object, false, own).AccessToken != "" {
			within = o.end
		}
	}
	if strings.Contains(text, "&") {
		if plain := html.UnescapeString(text); plain != text {
			p.search(plain, ends, depth+1, own, found)
		}
	}
	if strings.Contains(text, `\"`) || strings.Contains(text, `\u0022`) {
		p.search(unquote([]byte(text)), ends, depth+1, own, found)
	}
	names := LastNames(p.AccessToken + "|" + p.RefreshToken)
	if pairs := pairsOf(text, ends, strings.Split(names, "|"), own); len(pairs) > 0 {
		p.walk(pairs, true, maxWrappings, own, found)
	}
}

// walk looks for tokens in a value, at the paths of the dialect or at any depth. What
// stands within an object that has an access token itself says something about its
// tokens, such as their lifetimes or types, under the same names.
func (p Places) walk(value any, whole bool, depth int, own map[string]bool, found func(Tokens)) {
	switch value := value.(type) {
	case map[string]any:
		if t := p.tokensIn(value, whole, own); t.RefreshToken != "" || t.AccessToken != "" {
			if found(t); t.AccessToken != "" {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			p.walk(value[name], whole, depth, own, found)
		}
	case []any:
		for _, inner := range value {
			p.walk(inner, whole, depth, own, found)
		}
	case string:
		if depth < maxWrappings && strings.ContainsAny(value, "{=") {
			p.search(value, whole, depth+1, own, found)
		}
	}
}

// tokensIn reads an object: where the dialect has its tokens, or by their own names, in
// any spelling.
func (p Places) tokensIn(object map[string]any, whole bool, own map[string]bool) Tokens {
	r := &Reply{Tree: object}
	t := Tokens{In: object, whole: whole}
	find := func(path string) string {
		if text := r.FindToken(path); text != "" && !own[text] {
			return text
		}
		if text := r.FindToken(LastNames(path)); text != "" && !own[text] {
			return text
		}
		for name := range strings.SplitSeq(LastNames(path), "|") {
			member := spelled(object, name, IsToken)
			if text := tokenOf(object[member]); member != "" && text != "" && !own[text] {
				return text
			}
		}
		return ""
	}
	t.AccessToken = find(p.AccessToken)
	if !p.NoRefreshToken {
		t.RefreshToken = find(p.RefreshToken)
	}
	return t
}

// LastNames are the last names of the alternatives of a path.
func LastNames(path string) string {
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
