package observe

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

// The placeholders of a request. They are set before its response begins, so that access
// logs (log_append) and headers can have them.
const (
	clientPlaceholder     = "http.oauth2.client"
	generationPlaceholder = "http.oauth2.generation"
	outcomePlaceholder    = "http.oauth2.outcome"
)

// Placeholders sets those of the requests that want a token of one client.
type Placeholders struct {
	client     any
	generation atomic.Pointer[shownGeneration] // of the last request
}

// shownGeneration is a generation as a value, which is made once for all requests.
type shownGeneration struct {
	number uint64
	value  any
}

// NewPlaceholders returns those of a client, "" if nobody knows which it is.
func NewPlaceholders(client string) *Placeholders {
	p := new(Placeholders)
	if client != "" {
		p.client = client
	}
	return p
}

// Set says what became of a request, and with a token of which generation; 0 if it had
// none.
func (p *Placeholders) Set(ctx context.Context, o Outcome, generation uint64) {
	values, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || o == Undecided {
		return
	}
	if p.client != nil {
		values.Set(clientPlaceholder, p.client)
	}
	values.Set(outcomePlaceholder, outcomeValues[o])
	if generation == 0 {
		return
	}
	shown := p.generation.Load()
	if shown == nil || shown.number != generation {
		shown = &shownGeneration{generation, strconv.FormatUint(generation, 10)}
		p.generation.Store(shown)
	}
	values.Set(generationPlaceholder, shown.value)
}
