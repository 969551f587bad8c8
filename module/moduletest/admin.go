package moduletest

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Asked is an answer of the admin API, which has no listener in these tests.
func Asked(t *testing.T, method, path string, into any) (status int) {
	t.Helper()
	info, err := caddy.GetModule("admin.api.oauth2_client")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := info.New().(caddy.AdminRouter).Routes()[0].Handler.ServeHTTP(w, httptest.NewRequest(method, "/oauth2_client/"+path, nil)); err != nil {
		if apiErr, ok := errors.AsType[caddy.APIError](err); ok {
			return apiErr.HTTPStatus
		}
		t.Fatal(err)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return w.Code
}

// Adopt is 'tokens rename' and 'tokens move --from'.
func (s *Sidecar) Adopt(name, body string) {
	s.T.Helper()
	if err := s.TryAdopt(name, body); err != nil {
		s.T.Fatal(err)
	}
}

// TryAdopt is Adopt that may fail.
func (s *Sidecar) TryAdopt(name, body string) error {
	s.T.Helper()
	info, err := caddy.GetModule("admin.api.oauth2_client")
	if err != nil {
		s.T.Fatal(err)
	}
	req := httptest.NewRequest("POST", "/oauth2_client/clients/"+name+"/adopt", strings.NewReader(body))
	return info.New().(caddy.AdminRouter).Routes()[0].Handler.ServeHTTP(httptest.NewRecorder(), req)
}
