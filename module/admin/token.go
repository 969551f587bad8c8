package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/adminapi"
	"lamplighter/module/client"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/unavailable"
)

// token answers with the client's access token, to who is allowed to have it.
func (a adminAPI) token(w http.ResponseWriter, r *http.Request, c *client.Client) error {
	if err := mayHave(r, c); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusForbidden, Err: err}
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	var req adminapi.TokenRequest
	if err != nil || len(b) > 0 && json.Unmarshal(b, &req) != nil { // whose error may quote a token
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(`the body is not of the form {"for": "…", "rejected": "…"}`)}
	}
	redact.Remember(req.Rejected)
	if err := isFor(c, req.For); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusForbidden, Err: err}
	}
	pass, retry, err := handOut(r, c, req.Rejected)
	if err != nil {
		return withoutToken(w, c, err)
	}
	defer pass.Answered()
	pass.Handed()
	t := pass.Token()
	caddy.Log().Named("oauth2_client.audit").Info("token handed out",
		zap.String("client", c.Name()), zap.Uint64("generation", t.Generation), zap.String("format", redact.Text(req.Format)),
		zap.String("for", redact.Text(req.For)), zap.Bool("after_rejection", req.Rejected != ""))
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, answerOf(c, t, retry))
}

// answerOf is what is said of a token.
func answerOf(c *client.Client, t *keeper.Token, retry time.Duration) adminapi.Token {
	answer := adminapi.Token{
		AccessToken: t.AccessToken, TokenType: cmp.Or(t.TokenType, "Bearer"), Scope: t.Scope,
		ExpiresIn: int64(max(0, time.Until(t.ExpiresAt)) / time.Second), ExpiresAt: t.ExpiresAt.UTC(), Generation: t.Mark(),
		ForcedIn: int64(math.Ceil(retry.Seconds())),
	}
	for _, f := range c.Injections().Header(t) {
		answer.Header = append(answer.Header, adminapi.HeaderField(f))
	}
	return answer
}

// handOut waits for a token, and for another one in its place if it was rejected. If that
// does not come, retry says when it may be forced.
func handOut(r *http.Request, c *client.Client, rejected string) (pass client.Pass, retry time.Duration, err error) {
	began, wait := time.Now(), time.Duration(c.Settings().Wait)
	if pass, err = c.Pass(r, wait, true); err == nil {
		err = pass.ForOthers()
	}
	if err != nil || rejected == "" || rejected != pass.Token().AccessToken && rejected != pass.Token().Mark() {
		return pass, 0, err
	}
	pass.Answered() // the refresh that is waited for may wait for that
	if retry, err = pass.Refused(max(0, wait-time.Since(began))); err != nil {
		return pass, 0, err
	}
	pass, err = c.Pass(r, max(0, wait-time.Since(began)), true)
	return pass, retry, err
}

// withoutToken says why there is none.
func withoutToken(w http.ResponseWriter, c *client.Client, err error) error {
	p := unavailable.Problem(c, err)
	if p == nil {
		return err // nobody is there to read it
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	return caddy.APIError{HTTPStatus: p.Status, Err: fmt.Errorf("client %s: %s; %s", c.Name(), p.Detail, p.Remedy)}
}

// mayHave refuses who may not have the token itself: all, unless the client's settings say
// otherwise, and whoever is not known to be the user of this process, or root.
func mayHave(r *http.Request, c *client.Client) error {
	if !c.Settings().AllowPrint {
		return fmt.Errorf("client %s: its token is not handed out: add 'allow_print' to its settings if whoever can open the admin socket may have it", c.Name())
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil || local.Network() != "unix" {
		return fmt.Errorf("client %s: its token is handed out over a unix socket alone: let the option admin name one, as in 'admin unix//run/lamplighter/admin.sock|0600'", c.Name())
	}
	info, err := os.Lstat(local.String())
	if err != nil || info.Mode()&fs.ModeSocket == 0 || strings.HasPrefix(local.String(), "@") {
		return fmt.Errorf("client %s: its token is not handed out, because nobody can tell who may open the admin socket: give it a path", c.Name())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("client %s: its token is not handed out, because other users can open the admin socket (mode %04o): write 'admin unix/%s|0600'", c.Name(), info.Mode().Perm(), local)
	}
	return nil
}

// isFor refuses an origin that the token may not go to.
func isFor(c *client.Client, origin string) error {
	if origin == "" {
		return nil
	}
	allowed, err := c.Settings().Allows(origin)
	switch {
	case err != nil:
		return fmt.Errorf("client %s: %w", c.Name(), err)
	case !allowed:
		return fmt.Errorf("client %s: its token is not for %s: add 'allow %s' to its settings if it is", c.Name(), redact.Quote(origin), redact.Text(origin))
	}
	return nil
}
