package proxy

import (
	"context"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"lamplighter/module/internal/hostile"
	"lamplighter/module/internal/keeper"
)

func TestWhoCallsIsShownBoundedAndEscaped(t *testing.T) {
	hostile.CheckLogged(t, func(logger *zap.Logger, req *http.Request) {
		req = req.WithContext(context.WithValue(req.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		(&Transport{audit: logger}).record(req, &keeper.Token{}, nil, http.ErrHandlerTimeout)
	})
}
