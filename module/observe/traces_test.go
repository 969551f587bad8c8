package observe

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"lamplighter/module/internal/tokenendpoint"
)

// broken is a provider whose spans cannot be ended.
type broken struct{ trace.TracerProvider }

type brokenTracer struct{ trace.Tracer }

type brokenSpan struct{ trace.Span }

func (broken) Tracer(string, ...trace.TracerOption) trace.Tracer { return brokenTracer{} }

func (brokenTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, brokenSpan{noop.Span{}}
}

func (brokenSpan) End(...trace.SpanEndOption) { panic("a bug of an exporter") }

// Whoever traces token requests is told of an answer before its refresh token is on
// the way to the disk.
func TestABugInTracingCostsNoAnswer(t *testing.T) {
	seen := new(Traces)
	seen.provider.Store(&seenProvider{broken{}})
	_, done := seen.Span(t.Context(), "erp", "-")
	done(tokenendpoint.Answer{Outcome: tokenendpoint.Granted, RefreshToken: "R2"})
}
