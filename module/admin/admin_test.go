package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
)

func TestNothingIsReadyBeforeAConfigurationHasStarted(t *testing.T) {
	for path, status := range map[string]int{"live": 200, "ready": 503, "clients": 503, "clients/erp": 503} {
		w := httptest.NewRecorder()
		err := adminAPI{}.serve(w, httptest.NewRequest(http.MethodGet, adminapi.Prefix+path, nil))
		got := w.Code
		if apiErr := (caddy.APIError{}); errors.As(err, &apiErr) {
			got = apiErr.HTTPStatus
		} else if err != nil {
			t.Fatal(err)
		}
		if got != status {
			t.Errorf("%s: %d, want %d", path, got, status)
		}
	}
}

func TestAnInstanceSaysWhichVersionItIsAndSinceWhenItRuns(t *testing.T) {
	w := httptest.NewRecorder()
	if err := (adminAPI{}).serve(w, httptest.NewRequest(http.MethodGet, adminapi.Prefix+"live", nil)); err != nil {
		t.Fatal(err)
	}
	var live adminapi.Live
	if err := json.Unmarshal(w.Body.Bytes(), &live); err != nil || !live.Live || live.Version == "" || live.StartedAt.IsZero() {
		t.Errorf("got %s, %v", w.Body, err)
	}
}

func TestAnUnknownClientIsToldSomeOfThoseThereAre(t *testing.T) {
	list := make([]string, 1000)
	for i := range list {
		list[i] = fmt.Sprintf("client-%03d", i)
	}
	message := unknownClient("erp", list).Error()
	if !strings.Contains(message, "client-000, client-001") || !strings.Contains(message, "and 980 more") || len(message) > 500 {
		t.Errorf("%s", message)
	}
}
