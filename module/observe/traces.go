package observe

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/tokenendpoint"
)

// Traces makes a span of every token request. Caddy keeps its tracer provider to
// itself, but every traced request carries it along: the newest one seen is used.
type Traces struct {
	provider atomic.Pointer[seenProvider]
}

type seenProvider struct{ trace.TracerProvider }

// See remembers the provider of a request that is traced.
func (t *Traces) See(ctx context.Context) {
	span := trace.SpanFromContext(ctx)
	if !span.SpanContext().IsValid() {
		return
	}
	provider := span.TracerProvider()
	if known := t.provider.Load(); known == nil || known.TracerProvider != provider {
		t.provider.Store(&seenProvider{provider})
	}
}

// Span begins the span of a token request. It is a trace of its own: the request
// serves everybody. done ends it.
func (t *Traces) Span(ctx context.Context, client, grantType string) (_ context.Context, done func(tokenendpoint.Answer)) {
	seen := t.provider.Load()
	if seen == nil {
		return ctx, func(tokenendpoint.Answer) {}
	}
	ctx, span := seen.Tracer("lamplighter").Start(ctx, "oauth2 token request",
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("oauth2.client", client), attribute.String("oauth2.grant_type", grantLabel(grantType))))
	return ctx, func(a tokenendpoint.Answer) {
		_ = panics.Contain(func() { end(span, a) }) // its refresh token is not written yet
	}
}

func end(span trace.Span, a tokenendpoint.Answer) {
	span.SetAttributes(attribute.String("oauth2.result", results[a.Outcome]))
	if a.Status > 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", a.Status))
	}
	if a.Outcome != tokenendpoint.Granted {
		span.SetStatus(codes.Error, a.Cause)
	}
	span.End()
}
