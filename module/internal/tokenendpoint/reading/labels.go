package reading

import (
	"html"
	"regexp"
	"strings"
)

// What is looked through for labels, which no real answer exceeds.
const maxLabelled = 256 << 10

// after is what stands between the name of a member and its value, and the value, in
// whatever is no JSON: XML, property lists, what PHP, Ruby and others print, YAML.
// Something has to end each value.
const after = `(?:` +
	`(?:\s[^<>]{0,200})?>\s*(?:<!\[CDATA\[([^<>\]]+)\]\]>|([^<>]+))</` + // <name>value</name>
	`|</[^<>]{1,60}>\s*(?:<[^<>/]{1,60}>\s*){1,3}([^<>]+)</` + // <key>name</key><string>value</string>
	`|["']?\s+value=["']([^"'<>]+)["']` + // name="name" value="value"
	`|";s:\d{1,6}:"([^"]+)";` + // s:4:"name";s:5:"value";
	`|["'\]]{0,2}(?::\w{1,20})?\]?\s*=>?\s*(?:string\(\d{1,6}\)\s*|int\()?(?:"([^"]+)"|'([^']+)'|([^\s"'<>(){}\[\],;&]+)[\s,;)}\]])` + // ["name"]=> string(5) "value"
	`|:\s?(?:"([^"]+)"|'([^']+)'|([^\s"'<>(){}\[\],;&]+)(?:[ \t]*[\r\n]|[,}]| \w+:))` + // name: value
	`)`

// labelsOf returns what finds the members of an answer by their names, in any spelling.
func labelsOf(names []string) *regexp.Regexp {
	var any []string
	for _, name := range names {
		words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == ' ' })
		for i := range words {
			words[i] = regexp.QuoteMeta(words[i])
		}
		if len(words) > 0 {
			any = append(any, strings.Join(words, `[_ -]?`))
		}
	}
	return regexp.MustCompile(`(?i)(?:^|[^\w/-])(` + strings.Join(any, "|") + `)` + after)
}

// labelled looks for tokens beside their names in what is no JSON. Such a text may be
// prose, so that only an access token counts that comes with a refresh token, a
// lifetime or a type, and only what looks like tokens.
func (p Places) labelled(text string, own map[string]bool) (t Tokens, ok bool) {
	if len(text) > maxLabelled {
		return t, false
	}
	names := strings.Split(LastNames(strings.Join([]string{
		p.AccessToken, p.RefreshToken, p.IDToken, p.Expires, "token_type", "scope",
	}, "|")), "|")
	members := map[string]any{}
	label := labelsOf(names)
	for match := label.FindStringSubmatchIndex(text); match != nil; match = label.FindStringSubmatchIndex(text) {
		group := 4
		for match[group] < 0 {
			group += 2
		}
		value := strings.TrimSpace(html.UnescapeString(text[match[group]:match[group+1]]))
		for _, name := range names {
			if folded(name) == folded(text[match[2]:match[3]]) && value != "" && !own[value] {
				members[name] = value
			}
		}
		text = text[match[group+1]:] // what ended one value may begin the next
	}
	t = p.tokensIn(members, true, own)
	_, typed := members["token_type"]
	lives := Scalar(lookup(members, LastNames(p.Expires))) != ""
	switch {
	case !looksRandom(t.AccessToken), t.RefreshToken == "" && !typed && !lives, t.RefreshToken == t.AccessToken:
		return Tokens{}, false
	case t.RefreshToken != "" && !looksRandom(t.RefreshToken):
		return Tokens{}, false
	}
	return t, true
}

// looksRandom reports whether a text may be a token, and is no word that describes one.
func looksRandom(text string) bool {
	for _, hidden := range []string{"...", "…", "***", "•••", " "} {
		if strings.Contains(text, hidden) {
			return false
		}
	}
	return strings.ContainsAny(text, "0123456789") || len(text) >= 24
}
