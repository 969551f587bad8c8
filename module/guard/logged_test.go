package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"lamplighter/module/internal/hostile"
	"lamplighter/module/observe"
)

func TestWhoIsRefusedIsShownBoundedAndEscaped(t *testing.T) {
	hostile.CheckLogged(t, func(logger *zap.Logger, req *http.Request) {
		req = req.WithContext(context.WithValue(req.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		g := &Guard{refused: observe.NewRefusals(logger), counts: new(observe.Counts), values: observe.NewPlaceholders("")}
		if err := g.ServeHTTP(httptest.NewRecorder(), req, nil); err != nil {
			t.Fatal(err)
		}
	})
}
