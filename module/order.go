package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/words"
)

// refresh obtains a new token now and answers with the outcome.
func (a adminAPI) refresh(w http.ResponseWriter, r *http.Request, c *client) error {
	res, err := c.keeper.Refresh(r.Context(), r.URL.Query().Get("force") == "true")
	if err != nil {
		return err // nobody is there to read it
	}
	return writeJSON(w, http.StatusOK, orderResult(c, res))
}

// imports takes a new refresh token, and answers with what the server says to
// it. Neither body nor token is part of any message.
func (a adminAPI) imports(w http.ResponseWriter, r *http.Request, c *client) error {
	token, err := importedToken(r)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("client %s: %w", c.name, err)}
	}
	redact.Remember(token)
	q := r.URL.Query()
	present := c.keeper.Import
	if q.Get("again") == "true" {
		present = c.keeper.ImportAgain
	}
	res, err := present(r.Context(), token, q.Get("force") == "true")
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, orderResult(c, res))
}

// revoke ends the client's grant at the authorization server.
func (a adminAPI) revoke(w http.ResponseWriter, r *http.Request, c *client) error {
	res, err := c.keeper.Revoke(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, orderResult(c, res))
}

func importedToken(r *http.Request) (string, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return "", errors.New(`send the refresh token as application/json: {"refresh_token": "…"}`)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody+1))
	if err != nil {
		return "", errors.New("the body could not be read")
	}
	if len(b) > adminapi.MaxBody {
		return "", errors.New("the body is longer than any refresh token")
	}
	var body adminapi.ImportRequest
	if json.Unmarshal(b, &body) != nil { // its error may quote the token
		return "", errors.New(`the body is not of the form {"refresh_token": "…"}`)
	}
	return adminapi.CheckToken(body.RefreshToken)
}

func orderResult(c *client, r keeper.Result) adminapi.OrderResult {
	detail, remedy := words.Of(r.Trouble, c.about())
	return adminapi.OrderResult{
		Client:   c.name,
		Obtained: r.Obtained,
		Revoked:  r.Revoked,
		Cause:    r.Trouble.Cause,
		Detail:   detail,
		Remedy:   remedy,
		Status:   c.status(r.Status, time.Now()),
	}
}
