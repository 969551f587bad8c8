package module

import (
	"context"
	"fmt"

	"lamplighter/module/adminapi"
)

// Attend returns a client for a command that found no instance, nil if there is none of
// that name, and the names of all.
func (a *App) Attend(name string) (found adminapi.Attended, names []string) {
	for _, c := range a.set.list() {
		if c.name == name {
			found = &attended{c: c}
		}
		names = append(names, c.name)
	}
	return found, names
}

// attended is a client that a command works with.
type attended struct {
	c      *Client
	atWork bool
}

// Open opens the store of the client.
func (a *attended) Open(ctx context.Context) error {
	u := a.c.use
	if u.open(ctx); u.err != nil {
		u.close()
		return fmt.Errorf("client %s: store: %w", a.c.name, u.err)
	}
	return nil
}

// Login takes a step of a log-in, for which the client goes to work.
func (a *attended) Login(ctx context.Context, req adminapi.LoginRequest) (*adminapi.LoginAnswer, error) {
	if !a.atWork {
		a.atWork = true
		a.c.log.Attended = true
		a.c.start(1)
	}
	return a.c.login().Step(ctx, req)
}

// Adopt carries another record's grant over to the client.
func (a *attended) Adopt(ctx context.Context, req adminapi.AdoptRequest) (*adminapi.AdoptResult, error) {
	return a.c.adopt(ctx, req)
}

// MoveTo carries the client's grant over to another store.
func (a *attended) MoveTo(ctx context.Context, store string) (*adminapi.AdoptResult, error) {
	return a.c.moveTo(ctx, store)
}

// Close ends the client's work, and gives its store back.
func (a *attended) Close() {
	a.c.stop()
	a.c.use.close()
}

// Interface guards
var (
	_ adminapi.Attendant = (*App)(nil)
	_ adminapi.Attended  = (*attended)(nil)
)
