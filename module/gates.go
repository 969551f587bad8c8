package module

import (
	"sync"

	"lamplighter/module/client"
	"lamplighter/module/placeholder"
)

// Gated reports whether there is a gate of the same directive.
func (a *App) Gated(name, declaredAt string) bool {
	a.gating.Lock()
	defer a.gating.Unlock()
	return a.gates[use{name, declaredAt}]
}

// Expect returns a function that finds the client of a name once all modules are
// provisioned: it may be declared in place by one that comes later.
func (a *App) Expect(name, declaredAt string) func() *client.Client {
	a.gating.Lock()
	defer a.gating.Unlock()
	a.gates[use{name, declaredAt}] = true
	return sync.OnceValue(func() *client.Client {
		return a.set.Get(name)
	})
}

// checkGates returns an error if the client of a gate was not declared.
func (a *App) checkGates() error {
	a.gating.Lock()
	defer a.gating.Unlock()
	for u := range a.gates {
		if a.set.Get(u.client) == nil {
			return placeholder.Located(u.declaredAt, a.notDeclared(u.client))
		}
	}
	return nil
}
