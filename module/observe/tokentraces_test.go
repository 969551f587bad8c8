package observe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"lamplighter/module/moduletest"
)

func init() { caddy.RegisterModule(traced{}) }

// traced does what Caddy's handler tracing does to a request's context.
type traced struct{}

var spans = tracetest.NewSpanRecorder()

var tracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))

func (traced) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.traced", New: func() caddy.Module { return new(traced) }}
}

func (*traced) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ctx, span := tracerProvider.Tracer("test").Start(r.Context(), "request")
	defer span.End()
	return next.ServeHTTP(w, r.WithContext(ctx))
}

func TestTokenRequestsAreSpansOnceARequestIsTraced(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Lifetime = 3 // refreshed after about two seconds
	s := moduletest.NewSidecar(t, as)
	var config map[string]any
	if err := json.Unmarshal(moduletest.Adapt(t, s.Config("", "")), &config); err != nil {
		t.Fatal(err)
	}
	server := config["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)["srv0"].(map[string]any)
	server["routes"] = append([]any{map[string]any{"handle": []any{map[string]any{"handler": "traced"}}}}, server["routes"].([]any)...)
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(b, true); err != nil {
		t.Fatal(err)
	}
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	var found sdktrace.ReadOnlySpan
	moduletest.Eventually(t, "the span of a refresh", func() bool {
		for _, span := range spans.Ended() {
			if span.Name() == "oauth2 token request" {
				found = span
			}
		}
		return found != nil
	})
	if found.Parent().IsValid() {
		t.Error("the span belongs to the trace of some request")
	}
	attributes := fmt.Sprint(found.Attributes())
	for _, want := range []string{"oauth2.client {erp}", "oauth2.grant_type {refresh_token}", "oauth2.result {granted}"} {
		key, value, _ := strings.Cut(want, " ")
		if !strings.Contains(attributes, key) || !strings.Contains(attributes, strings.Trim(value, "{}")) {
			t.Errorf("no %s in %s", want, attributes)
		}
	}
	for _, secret := range as.Everything {
		if strings.Contains(attributes, secret) {
			t.Errorf("the span holds a secret: %s", attributes)
		}
	}
}
