package statuspage

import "regexp"

// part is a piece of a remedy: words, or a command that one may copy.
type part struct {
	Text    string
	Command bool
}

// quotedCommand is a command of ours in a text: in single quotes, and of words that a
// shell takes as they are, or that are quoted themselves. Whatever else a server may
// have put there is none.
var quotedCommand = regexp.MustCompile(`'(lamplighter tokens(?: (?:[A-Za-z0-9_./:@%+=,-]+|'[^'\n]*'))+)'`)

// partsOf takes a remedy apart.
func partsOf(remedy string) (parts []part) {
	end := 0
	for _, at := range quotedCommand.FindAllStringSubmatchIndex(remedy, -1) {
		if at[0] > end {
			parts = append(parts, part{Text: remedy[end:at[0]]})
		}
		parts = append(parts, part{remedy[at[2]:at[3]], true})
		end = at[1]
	}
	if end < len(remedy) {
		parts = append(parts, part{Text: remedy[end:]})
	}
	return parts
}
