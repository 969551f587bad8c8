package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/words"
	"lamplighter/module/login"
)

// refresh obtains a new token now and answers with the outcome.
func (a adminAPI) refresh(w http.ResponseWriter, r *http.Request, c *Client) error {
	res, err := c.keeper.Refresh(r.Context(), r.URL.Query().Get("force") == "true")
	if err != nil {
		return err // nobody is there to read it
	}
	return writeJSON(w, http.StatusOK, orderResult(c, res))
}

// imports takes a new refresh token, and answers with what the server says to
// it. Neither body nor token is part of any message.
func (a adminAPI) imports(w http.ResponseWriter, r *http.Request, c *Client) error {
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
func (a adminAPI) revoke(w http.ResponseWriter, r *http.Request, c *Client) error {
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

func orderResult(c *Client, r keeper.Result) adminapi.OrderResult {
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

func (a adminAPI) login(w http.ResponseWriter, r *http.Request, c *Client) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	var req adminapi.LoginRequest
	if err != nil || json.Unmarshal(b, &req) != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("the body is no JSON of a log-in")}
	}
	answer, err := c.login().Step(r.Context(), req)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: printableErr(err)}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// login is the client as somebody logs in for it.
func (c *Client) login() *login.Client {
	return &login.Client{Name: c.name, Settings: c.cfg, Server: c.server, Tokens: c.otherToken, Keeper: keeping{c}}
}

// keeping keeps what a log-in of the client yields.
type keeping struct{ c *Client }

// Keepable is that of the keeper.
func (k keeping) Keepable(ctx context.Context) error {
	t := k.c.keeper.Keepable(ctx)
	if t.Condition == grant.Well {
		return nil
	}
	detail, remedy := words.Of(t, k.c.about())
	return fmt.Errorf("%s; %s", detail, remedy)
}

// Keep imports a refresh token.
func (k keeping) Keep(ctx context.Context, refreshToken string) (*adminapi.OrderResult, error) {
	res, err := k.c.keeper.Import(ctx, refreshToken, true)
	if err != nil {
		return nil, err
	}
	result := orderResult(k.c, res)
	return &result, nil
}
