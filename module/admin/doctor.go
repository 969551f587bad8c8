package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
)

// examine looks at the clients of the running configuration, one step after the other.
func examine(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return notAllowed(http.MethodPost)
	}
	var req adminapi.DoctorRequest
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	if err == nil && len(b) > 0 {
		err = json.Unmarshal(b, &req)
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(`the body is not of the form {"client": "…", "ask": false}`)}
	}
	app, err := runningApp()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}
	if app == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("the running configuration has no clients")}
	}
	answer, err := app.Examine(r.Context(), req)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	return writeJSON(w, http.StatusOK, answer)
}
