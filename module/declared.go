package module

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"lamplighter/module/client"
	"lamplighter/module/nearest"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// Lookup returns the client of a name for another module. With settings it declares the
// client in place: once, or again with equal settings.
func (a *App) Lookup(name string, inPlace *settings.Client, declaredAt string) (*client.Client, error) {
	a.declaring.Lock()
	defer a.declaring.Unlock()
	known := a.set.Get(name)
	if inPlace == nil {
		if known == nil {
			return nil, placeholder.Located(declaredAt, a.notDeclared(name))
		}
		if known.InPlace() {
			return nil, placeholder.Located(declaredAt, fmt.Errorf("client %s is declared in another block (%s) and cannot be referred to from here: make it a global option 'oauth2_client %s { … }'", name, known.DeclaredAt(), name))
		}
		return known, nil
	}
	if known == nil {
		a.declared[name] = inPlace
		added, err := a.set.Add(name, inPlace, true)
		if err != nil {
			return nil, err
		}
		return added, a.notElsewhere(added)
	}
	if !known.InPlace() {
		return nil, placeholder.Located(inPlace.DeclaredAt, fmt.Errorf("client %s is a global option already%s: refer to it without a block, or choose another name", name, at(known.DeclaredAt())))
	}
	if !a.declared[name].Equal(inPlace) {
		return nil, placeholder.Located(inPlace.DeclaredAt, fmt.Errorf("client %s is declared with other settings already%s: make the declarations equal, or declare it once as a global option", name, at(known.DeclaredAt())))
	}
	return known, nil
}

func (a *App) notDeclared(name string) error {
	known := slices.Concat(slices.Sorted(maps.Keys(a.Clients)), slices.Sorted(maps.Keys(a.declared)))
	return fmt.Errorf("client %s is not declared%s: add the global option 'oauth2_client %s { … }', or give the client a block here", name, nearest.Hint(name, known...), name)
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " at " + place
}

// Scoped returns a client of Lookup with a route's scope: itself, if that is empty.
func (a *App) Scoped(c *client.Client, scope settings.RouteScope, declaredAt string) (*client.Client, error) {
	if scope.Empty() {
		return c, nil
	}
	fail := func(err error) (*client.Client, error) {
		return nil, placeholder.Located(declaredAt, fmt.Errorf("client %s: %w", c.Name(), err))
	}
	if c.InPlace() {
		return fail(errors.New("scope, audience and resource belong into its own settings here, because no other route uses it"))
	}
	if c.Settings().Rotating() {
		return fail(errors.New("scope, audience and resource cannot differ by route, because its refresh token rotates and has one holder: declare another client, with a grant of its own"))
	}
	a.declaring.Lock()
	defer a.declaring.Unlock()
	name := scope.Of(c.Name())
	if known := a.set.Get(name); known != nil {
		return known, nil
	}
	own := scope.Over(cmp.Or(a.Clients[c.Name()], a.declared[c.Name()]))
	own.DeclaredAt = declaredAt
	a.declared[name] = own
	return a.set.Add(name, own, false)
}
