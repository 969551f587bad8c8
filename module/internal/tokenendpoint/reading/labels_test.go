package reading

import (
	"strings"
	"testing"
	"time"
)

// Whatever is in it, a body is looked through in bounded time.
func TestLabelsCostBoundedTime(t *testing.T) {
	began := time.Now()
	p := Places{AccessToken: "access_token", RefreshToken: "refresh_token", IDToken: "id_token", Expires: "expires_in"}
	for _, part := range []string{"refresh_token>", `refresh_token="`, `refresh_token="refresh_token='`, "<refresh_token <a> ", "refresh_token: a", "refresh_token</a><b>", " refresh_token"} {
		p.labelled(strings.Repeat(part, maxLabelled/len(part)), nil)
	}
	t.Logf("%s", time.Since(began))
}
