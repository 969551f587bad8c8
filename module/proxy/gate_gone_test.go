package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// A caller that resets its stream while its body is read makes the request fail; its
// upstream has done nothing wrong.
func TestAnUpstreamIsNotBlamedForACallerThatWentAway(t *testing.T) {
	core, logged := observer.New(zap.DebugLevel)
	g := &Gate{Client: "erp", logger: zap.New(core)}
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		return caddyhttp.Error(http.StatusBadGateway, errors.New("http2: stream closed"))
	})
	for gone, want := range map[bool]int{true: statusClientClosedRequest, false: 0} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if gone {
			cancel()
		}
		w := httptest.NewRecorder()
		err := g.passOn(w, httptest.NewRequest(http.MethodPost, "/", nil).WithContext(ctx), next)
		if failed, _ := errors.AsType[caddyhttp.HandlerError](err); failed.StatusCode != want {
			t.Errorf("gone %v: error %v", gone, err)
		}
		if gone && (logged.Len() > 0 || w.Body.Len() > 0) || !gone && w.Code != http.StatusBadGateway {
			t.Errorf("gone %v: %d, %v", gone, w.Code, logged.All())
		}
		logged.TakeAll()
	}
}
