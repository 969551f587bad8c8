package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module"
	"lamplighter/module/adminapi"
	"lamplighter/module/client"
	"lamplighter/module/internal/redact"
)

// refresh obtains a new token now and answers with the outcome.
func (a adminAPI) refresh(w http.ResponseWriter, r *http.Request, c *client.Client) error {
	res, err := c.Refresh(r.Context(), r.URL.Query().Get("force") == "true")
	if err != nil {
		return err // nobody is there to read it
	}
	return writeJSON(w, http.StatusOK, res)
}

// imports takes a new refresh token, and answers with what the server says to
// it. Neither body nor token is part of any message.
func (a adminAPI) imports(w http.ResponseWriter, r *http.Request, c *client.Client) error {
	body, err := imported(r)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("client %s: %w", c.Name(), err)}
	}
	redact.Remember(body.RefreshToken, body.DPoPKey)
	key, err := c.ImportedKey(body.DPoPKey)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("client %s: %w", c.Name(), err)}
	}
	q := r.URL.Query()
	res, err := c.Import(r.Context(), body.RefreshToken, key, q.Get("force") == "true", q.Get("again") == "true")
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

// revoke ends the client's grant at the authorization server.
func (a adminAPI) revoke(w http.ResponseWriter, r *http.Request, c *client.Client) error {
	res, err := c.Revoke(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

func imported(r *http.Request) (body adminapi.ImportRequest, err error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return body, errors.New(`send the refresh token as application/json: {"refresh_token": "…"}`)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody+1))
	if err != nil {
		return body, errors.New("the body could not be read")
	}
	if len(b) > adminapi.MaxBody {
		return body, errors.New("the body is longer than any refresh token")
	}
	if json.Unmarshal(b, &body) != nil { // its error may quote the token
		return body, errors.New(`the body is not of the form {"refresh_token": "…"}`)
	}
	body.RefreshToken, err = adminapi.CheckToken(body.RefreshToken)
	return body, err
}

func (a adminAPI) login(w http.ResponseWriter, r *http.Request, c *client.Client) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	var req adminapi.LoginRequest
	if err != nil || json.Unmarshal(b, &req) != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("the body is no JSON of a log-in")}
	}
	answer, err := module.Login(c).Step(r.Context(), req)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: redact.Error(err)}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// adopt carries another record's grant over to the client.
func (a adminAPI) adopt(w http.ResponseWriter, r *http.Request, c *client.Client) error {
	var req adminapi.AdoptRequest
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	if err == nil {
		err = json.Unmarshal(b, &req)
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(`the body is not of the form {"client": "…", "store": "…"}`)}
	}
	result, err := c.Adopt(r.Context(), req)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: redact.Error(err)}
	}
	return writeJSON(w, http.StatusOK, result)
}
