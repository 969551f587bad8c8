package proxy

import (
	"net"
	"net/http"

	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
)

// record writes the audit line of one round trip: who used which token against
// which upstream, and what came of it. It names a token by its generation, and
// no path or header, which may hold secrets of the application.
func (t *Transport) record(req *http.Request, token *keeper.Token, res *http.Response, err error) {
	if t.audit == nil || isHealthCheck(req) {
		return
	}
	caller, _, splitErr := net.SplitHostPort(req.RemoteAddr)
	if splitErr != nil {
		caller = req.RemoteAddr // a unix socket
	}
	fields := []zap.Field{
		zap.String("caller", redact.Text(caller)),
		zap.Uint64("generation", token.Generation),
		zap.String("upstream", redact.Text(req.URL.Host)),
		zap.String("method", redact.Text(req.Method)),
	}
	if err != nil {
		t.audit.Info("token used", append(fields, zap.Bool("answered", false))...)
		return
	}
	t.audit.Info("token used", append(fields, zap.Int("status", res.StatusCode))...)
}
