package module

import (
	"strings"
	"testing"
)

func TestAllowOfARequestIsRefusedAndNoErrorRepeatsAPassword(t *testing.T) {
	if _, err := compileAllow([]string{"{http.request.host}"}, true); err == nil {
		t.Error("a placeholder of the request was accepted")
	}
	if _, err := compileAllow([]string{"https://u:s3cret@a"}, true); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}
