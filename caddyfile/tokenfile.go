package caddyfile

import (
	"lamplighter/module/nearest"
	"lamplighter/module/tokenfile"
)

// tokenFile reads a path, and a block of how the token is kept there.
func (p *clientParser) tokenFile() error {
	var f tokenfile.File
	if !p.AllArgs(&f.Path) {
		return p.Errf("token_file takes one value, the path of the file; what more there is stands in a block")
	}
	if err := f.Over(p.File(), "the configuration"); err != nil { // a server that has the JSON alone may not know
		return p.Errf("token_file %v", err)
	}
	seen := make(map[string]bool)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		option := p.Val()
		if seen[option] {
			return p.Errf("%s already specified", option)
		}
		seen[option] = true
		field := tokenFileOption(&f, option)
		if field == nil {
			return p.Errf("unrecognized subdirective: %s%s", option, nearest.Hint(option, "format", "mode", "group"))
		}
		if err := p.text(field); err != nil {
			return err
		}
	}
	p.client.TokenFile = append(p.client.TokenFile, f)
	return nil
}

// tokenFileOption returns what an option of a token file sets, nil if there is none of
// that name.
func tokenFileOption(f *tokenfile.File, option string) *string {
	switch option {
	case "format":
		return &f.Format
	case "mode":
		return &f.Mode
	case "group":
		return &f.Group
	}
	return nil
}
