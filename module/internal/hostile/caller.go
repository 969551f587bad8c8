package hostile

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"lamplighter/module/internal/redact"
)

// CheckLogged has callers logged that are foreign in all that a listener says of a
// connection, and a request of itself, and looks at the line about each.
func CheckLogged(t *testing.T, log func(logger *zap.Logger, req *http.Request)) {
	t.Helper()
	const secret = "a-secret-of-some-client"
	redact.Remember(secret)
	core, logs := observer.New(zap.DebugLevel)
	logger := zap.New(core)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/", nil)
	req.Method = "GET\x1b[31m" + strings.Repeat("T", 1<<20)
	for _, address := range []string{"\x1b[31m@\u202e\n", secret, strings.Repeat("a", 1<<20)} {
		req.RemoteAddr, req.URL.Host = address, address
		log(logger, req)
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
