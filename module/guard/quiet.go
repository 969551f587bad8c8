package guard

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/internal/redact"
)

// KeepOutOfLog keeps a request out of Caddy's access log if that would show a secret of callers.
// Caddy logs a request as it came, and hides some headers only; whoever sends the secret in the
// marker may send it where nobody asks for it.
func KeepOutOfLog(r *http.Request) {
	for _, value := range r.Header[Marker] {
		if redact.Text(value) != value {
			caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
		}
	}
}
