package settings

import (
	"strings"
	"testing"
)

func TestAllowOfARequestIsRefusedAndNoErrorRepeatsAPassword(t *testing.T) {
	if _, err := (&Client{Allow: []string{"{http.request.host}"}}).AllowRules(true); err == nil {
		t.Error("a placeholder of the request was accepted")
	}
	if _, err := (&Client{Allow: []string{"https://u:s3cret@a"}}).AllowRules(true); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}
