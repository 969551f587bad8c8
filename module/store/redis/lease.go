package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"lamplighter/module/store"
)

// forgotten is when a server may forget a lease that nobody renews or gives back, only
// to have its memory again: others have taken it over long before.
const forgotten = 24 * time.Hour

// lease is a hash that its holder has.
type lease struct {
	engine       *Engine
	name, holder string
}

// Acquire tries to put a hash under the key of a lease, or to take over the one that is
// there.
func (e *Engine) Acquire(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
	answer, err := e.write(ctx, acquiring, e.keys.lease(name), holder, rand.Text(), string(over), forgotten.Milliseconds())
	switch {
	case err != nil:
		return nil, store.Held{}, err
	case done(answer):
		return &lease{e, name, holder}, store.Held{}, nil
	case len(answer) < 3:
		return nil, store.Held{}, nil
	}
	return nil, store.Held{Holder: text(answer[1]), Tag: store.Tag(text(answer[2]))}, nil
}

// Renew gives the lease another tag.
func (l *lease) Renew(ctx context.Context) error {
	return l.change(ctx, renewing, l.holder, rand.Text(), forgotten.Milliseconds())
}

// Release deletes it, and tells of it.
func (l *lease) Release(ctx context.Context) error {
	return l.change(ctx, releasing, l.holder, l.engine.keys.channel(), l.name)
}

func (l *lease) change(ctx context.Context, script string, args ...any) error {
	answer, err := l.engine.write(ctx, script, l.engine.keys.lease(l.name), args...)
	if err == nil && !done(answer) {
		return fmt.Errorf("the lease of %s: %w", l.name, store.ErrConflict)
	}
	return err
}
