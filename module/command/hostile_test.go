package command

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"lamplighter/module/adminapi"
)

// hostile are characters that steer a terminal, or turn what is read around it.
const hostile = "\x1b[2J\u009b31m\u202e\u2066\u200f\u061c\u200b\u2028\x00\x7f\xff"

// checkPrintable fails if a text holds a character that does not show. Lines are
// those of our own.
func checkPrintable(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s: prints %U: %q", what, r, text)
			return
		}
	}
}

// Fault A14.
func TestCommandsTrustNoWordOfTheAdminAPI(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if status != http.StatusOK {
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "no " + hostile})
			return
		}
		_ = json.NewEncoder(w).Encode(adminapi.ClientStatus{
			Client: "erp" + hostile, Token: hostile, State: hostile, Cause: hostile, Detail: hostile, Remedy: hostile, Record: hostile,
			GrantType: hostile, TokenEndpoint: hostile, DeclaredAt: hostile, History: []adminapi.ClientEvent{{Event: hostile, Cause: hostile, Detail: hostile}},
		})
	}))
	defer server.Close()
	api := &adminClient{origin: server.URL, http: server.Client()}
	var s adminapi.ClientStatus
	if err := api.call(http.MethodGet, "/", nil, &s); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	if err := errors.Join(printClient(terminal{Writer: &shown}, s), printClients(terminal{Writer: &shown}, []adminapi.ClientStatus{s}), printJSON(&shown, s)); err != nil {
		t.Fatal(err)
	}
	checkPrintable(t, "the commands", shown.String())
	if !strings.Contains(shown.String(), `\x1b[2J`) {
		t.Errorf("shows nothing: %s", shown.String())
	}
	status = http.StatusBadGateway
	err := api.call(http.MethodGet, "/", nil, &s)
	if err == nil {
		t.Fatal("no error")
	}
	checkPrintable(t, "an error", err.Error())
}
