package caddyfile

import (
	"fmt"
	"regexp"
	"slices"

	"lamplighter/module/nearest"
)

// What Caddy's adapter itself looks for in a Caddyfile, of ours.
var (
	ourDirectives = []string{"upstream_oauth", "inject_token", "serve_token"}
	ourOptions    = []string{appName, "oauth2_store", "max_concurrent_refreshes"}
)

// unknown is what Caddy's adapter says of a word that it does not know.
var unknown = regexp.MustCompile(`unrecognized (directive|global option): (\S+)`)

// Meant says which directive or global option of ours may have been meant, or where the word
// belongs that an error of Caddy's adapter is about; "" if that is about nothing of ours.
func Meant(err error) string {
	found := unknown.FindStringSubmatch(err.Error())
	if found == nil {
		return ""
	}
	word, directive := found[2], found[1] == "directive"
	belongs, known := ourDirectives, ourOptions
	if directive {
		belongs, known = ourOptions, ourDirectives
	}
	meant := nearest.To(word, known...)
	switch {
	case slices.Contains(belongs, word) && directive:
		return fmt.Sprintf("%s is a global option: it belongs into the block without an address at the beginning of the Caddyfile", word)
	case slices.Contains(belongs, word):
		return fmt.Sprintf("%s is a directive: it belongs into the block of a site", word)
	case meant != "":
		return fmt.Sprintf("%s: did you mean %s?", word, meant)
	case slices.Contains(ofClients, word):
		return fmt.Sprintf("%[1]s is a setting of a client: it belongs into a block 'oauth2_client <name> { … }' among the global options, or 'client <name> { … }' in upstream_oauth", word)
	}
	return ""
}
