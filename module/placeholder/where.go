package placeholder

import (
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// Where says of a setting whose it is, for what is told of it. The zero value says nothing.
type Where struct {
	// Client is the name of a client, "" if the setting is no client's.
	Client string

	// DeclaredAt is where the client, or the block, is configured, as `file:line`; "" if that
	// is not known, as in JSON.
	DeclaredAt string
}

// Fields are those of a line of the log: client and declared_at.
func (w Where) Fields() []zap.Field {
	fields := make([]zap.Field, 0, 2)
	if w.Client != "" {
		fields = append(fields, zap.String("client", w.Client))
	}
	if w.DeclaredAt != "" {
		fields = append(fields, zap.String("declared_at", w.DeclaredAt))
	}
	return fields
}

type whereKey struct{}

// In is a context for the modules that a client has of its own, such as its store, which know
// no clients.
func (w Where) In(ctx caddy.Context) caddy.Context { return ctx.WithValue(whereKey{}, w) }

// WhereOf is what a context was given by [Where.In].
func WhereOf(ctx caddy.Context) Where {
	if ctx.Context == nil {
		return Where{}
	}
	w, _ := ctx.Value(whereKey{}).(Where)
	return w
}
