package inject

import (
	"lamplighter/module/internal/keeper"
)

// Field is a header field that carries a token.
type Field struct{ Name, Value string }

// Header returns the header fields that a token goes into, in the order of the settings,
// for whoever makes requests without us. Cookies and parameters are not among them.
func (in *Injections) Header(t *keeper.Token) (fields []Field) {
	for i := range in.places {
		p := &in.places[i]
		if p.In != "header" {
			continue
		}
		if value := p.render(t); value != "" {
			fields = append(fields, Field{p.Name, value})
		}
	}
	return fields
}

// HasHeader reports whether the token goes into a header at all.
func (in *Injections) HasHeader() bool {
	for i := range in.places {
		if in.places[i].In == "header" {
			return true
		}
	}
	return false
}

// Value returns what a name stands for in a template: access_token, id_token or
// response.<path>. It is "" if the token came without that.
func Value(t *keeper.Token, name string) string { return (&piece{value: name}).of(t) }

// ResponsePath returns the path of a name of the form response.<path>.
func ResponsePath(name string) (path string, ok bool) {
	if len(name) <= len(responsePrefix) || name[:len(responsePrefix)] != responsePrefix {
		return "", false
	}
	return name[len(responsePrefix):], true
}
