package caddyfile

import (
	"maps"
	"slices"

	"lamplighter/module/nearest"
	"lamplighter/module/settings"
)

// dpop reads 'dpop', alone or with a block.
func (p *clientParser) dpop() error {
	if err := p.end(); err != nil {
		return err
	}
	d := new(settings.DPoP)
	fields := map[string]*string{"key": &d.Key, "alg": &d.Alg, "bearer": &d.Bearer, "htu": &d.HTU}
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		field := fields[p.Val()]
		if field == nil {
			return p.Errf("unrecognized subdirective: %s%s", p.Val(), nearest.Hint(p.Val(), slices.Sorted(maps.Keys(fields))...))
		}
		if *field != "" {
			return p.Errf("%s already specified", p.Val())
		}
		if err := p.text(field); err != nil {
			return err
		}
	}
	p.client.DPoP = d
	return nil
}
