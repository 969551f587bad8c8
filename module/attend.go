package module

import (
	"context"

	"lamplighter/module/adminapi"
	"lamplighter/module/client"
	"lamplighter/module/login"
)

// Attend returns a client for a command that found no instance, nil if there is none of
// that name, and the names of all.
func (a *App) Attend(name string) (found adminapi.Attended, names []string) {
	for _, c := range a.set.List() {
		if c.Name() == name {
			found = &attended{Client: c}
		}
		names = append(names, c.Name())
	}
	return found, names
}

// StoreObjects are what somebody has to make for the stores of the clients.
func (a *App) StoreObjects() []string { return a.set.StoreObjects() }

// attended is a client that a command works with.
type attended struct {
	*client.Client
	atWork bool
}

// Login takes a step of a log-in, for which the client goes to work.
func (a *attended) Login(ctx context.Context, req adminapi.LoginRequest) (*adminapi.LoginAnswer, error) {
	if !a.atWork {
		a.atWork = true
		a.Attend()
	}
	return Login(a.Client).Step(ctx, req)
}

// Login is a client as somebody logs in for it.
func Login(c *client.Client) *login.Client {
	return &login.Client{Name: c.Name(), Settings: c.Settings(), Server: c.Server(), Tokens: c.TokenOf, Keeper: c}
}

// Interface guards
var (
	_ adminapi.Preparer  = (*App)(nil)
	_ adminapi.Attendant = (*App)(nil)
	_ adminapi.Attended  = (*attended)(nil)
	_ adminapi.Examiner  = (*App)(nil)
	_ login.Keeper       = (*client.Client)(nil)
)
