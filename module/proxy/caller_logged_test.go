package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
)

// What a listener says of a connection, and a request of itself, is foreign in our lines,
// too.
func TestWhoCallsIsShownBoundedAndEscaped(t *testing.T) {
	const secret = "a-secret-of-some-client"
	redact.Remember(secret)
	core, logs := observer.New(zap.DebugLevel)
	logger := zap.New(core)
	req := httptest.NewRequest(http.MethodGet, "http://x/", nil)
	req = req.WithContext(context.WithValue(req.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	req.Method = "GET\x1b[31m" + strings.Repeat("T", 1<<20)
	for _, address := range []string{"\x1b[31m@\u202e\n", secret, strings.Repeat("a", 1<<20)} {
		req.RemoteAddr, req.URL.Host = address, address
		(&Transport{audit: logger}).record(req, &keeper.Token{}, nil, http.ErrHandlerTimeout)
	}
	if logs.Len() != 3 {
		t.Fatalf("%d lines", logs.Len())
	}
	for _, line := range logs.All() {
		for name, value := range line.ContextMap() {
			text, _ := value.(string)
			if strings.ContainsAny(text, "\x1b\n\u202e") || strings.Contains(text, secret) || len(text) > 10_000 {
				t.Errorf("%s: %s is %.60q of %d bytes", line.Message, name, text, len(text))
			}
		}
	}
}
