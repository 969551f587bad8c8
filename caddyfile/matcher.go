package caddyfile

import (
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"lamplighter/module/nearest"
)

// registerHandler registers a directive of one handler, as Caddy's own function does, but
// that an unknown matcher is told of by matched.
func registerHandler(directive string, parse httpcaddyfile.UnmarshalHandlerFunc) {
	httpcaddyfile.RegisterDirective(directive, func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		if !h.Next() {
			return nil, h.ArgErr()
		}
		matcher, err := matched(h)
		if err != nil {
			return nil, err
		}
		handler, err := parse(h)
		if err != nil {
			return nil, err
		}
		return h.NewRoute(matcher, handler), nil
	})
}

// matched reads the matcher of a directive, if it has one. Caddy says of one that is not
// defined neither where it stands nor which there are.
func matched(h httpcaddyfile.Helper) (caddy.ModuleMap, error) {
	ahead := *h.Dispenser
	matcher, err := h.ExtractMatcherSet()
	if err == nil || !ahead.NextArg() || !strings.HasPrefix(ahead.Val(), "@") {
		return matcher, err
	}
	name, known := ahead.Val(), matchers(h)
	there := "this site defines none"
	if len(known) > 0 {
		there = "there are " + strings.Join(known, ", ")
	}
	return nil, ahead.Errf("matcher %[1]s is not defined%[2]s: define it in this site, as in '%[1]s path /orders/*'; %[3]s", name, nearest.Hint(name, known...), there)
}

// matchers are the names of those that are defined where a directive stands, none if this
// version of Caddy keeps them elsewhere: only a message is the poorer for it.
func matchers(h httpcaddyfile.Helper) (names []string) {
	defined := reflect.ValueOf(h).FieldByName("matcherDefs")
	if defined.Kind() != reflect.Map || defined.Type().Key().Kind() != reflect.String {
		return nil
	}
	for _, name := range defined.MapKeys() {
		names = append(names, name.String())
	}
	slices.Sort(names)
	return names
}
