package module

import (
	"fmt"
	"sync"

	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// lookup returns the client of a name for another module. With settings it
// declares the client in place: once, or again with equal settings.
func (a *App) lookup(name string, inPlace *settings.Client, declaredAt string) (*client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.clients[name]
	if inPlace == nil {
		if known == nil {
			return nil, placeholder.Located(declaredAt, notDeclared(name))
		}
		if known.inPlace {
			return nil, placeholder.Located(declaredAt, fmt.Errorf("client %s is declared in another block (%s) and cannot be referred to from here: make it a global option 'oauth2_client %s { … }'", name, known.declaredAt, name))
		}
		return known, nil
	}
	if known == nil {
		c, err := a.add(name, inPlace)
		if err != nil {
			return nil, err
		}
		c.inPlace = true
		return c, a.connect(c)
	}
	if !known.inPlace {
		return nil, placeholder.Located(inPlace.DeclaredAt, fmt.Errorf("client %s is a global option already%s: refer to it without a block, or choose another name", name, at(known.declaredAt)))
	}
	if !known.declared.Equal(inPlace) {
		return nil, placeholder.Located(inPlace.DeclaredAt, fmt.Errorf("client %s is declared with other settings already%s: make the declarations equal, or declare it once as a global option", name, at(known.declaredAt)))
	}
	return known, nil
}

func notDeclared(name string) error {
	return fmt.Errorf("client %s is not declared: add the global option 'oauth2_client %s { … }', or give the client a block here", name, name)
}

// gated reports whether there is a gate of the same directive.
func (a *App) gated(name, declaredAt string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gates[use{name, declaredAt}]
}

// expect returns a function that finds the client of a name once all modules are
// provisioned: it may be declared in place by one that comes later.
func (a *App) expect(name, declaredAt string) func() *client {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gates[use{name, declaredAt}] = true
	return sync.OnceValue(func() *client {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.clients[name]
	})
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " at " + place
}
