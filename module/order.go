package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/words"
)

// maxImport bounds the body of an import: a refresh token and a little JSON.
const maxImport = 64 << 10

// OrderResult is what became of a refresh or an import, as the admin API
// answers it.
type OrderResult struct {
	// Client is the client's name.
	Client string `json:"client"`

	// Obtained says that there is a new access token.
	Obtained bool `json:"obtained"`

	// Revoked says that the grant was revoked, as ordered.
	Revoked bool `json:"revoked,omitempty"`

	// Cause is why there is none, in one word.
	Cause string `json:"cause,omitempty"`

	// Detail says it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`

	// Status is the client's status afterwards.
	Status ClientStatus `json:"status"`
}

// ImportRequest is the body of an import.
type ImportRequest struct {
	// RefreshToken is the new refresh token.
	RefreshToken string `json:"refresh_token"`
}

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
	b, err := io.ReadAll(io.LimitReader(r.Body, maxImport+1))
	if err != nil {
		return "", errors.New("the body could not be read")
	}
	if len(b) > maxImport {
		return "", errors.New("the body is longer than any refresh token")
	}
	var body ImportRequest
	if json.Unmarshal(b, &body) != nil { // its error may quote the token
		return "", errors.New(`the body is not of the form {"refresh_token": "…"}`)
	}
	return checkToken(body.RefreshToken)
}

// notAToken is the error of what can be no refresh token.
type notAToken string

// Error says why.
func (e notAToken) Error() string { return string(e) }

// checkToken refuses what can be no refresh token (RFC 6749 appendix A.17), such
// as a file with a comment in it.
func checkToken(token string) (string, error) {
	token = strings.TrimSuffix(strings.TrimSuffix(token, "\n"), "\r")
	if token == "" {
		return "", notAToken("the refresh token is empty")
	}
	for _, r := range token {
		if r < 0x20 || r == 0x7f {
			return "", notAToken("the refresh token holds a line break or another control character: supply the token alone")
		}
	}
	return token, nil
}

func orderResult(c *client, r keeper.Result) OrderResult {
	detail, remedy := words.Of(r.Trouble, c.about())
	return OrderResult{
		Client:   c.name,
		Obtained: r.Obtained,
		Revoked:  r.Revoked,
		Cause:    r.Trouble.Cause,
		Detail:   detail,
		Remedy:   remedy,
		Status:   c.status(r.Status, time.Now()),
	}
}
