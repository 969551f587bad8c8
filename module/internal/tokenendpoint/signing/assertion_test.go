package signing

import (
	"strings"
	"testing"
)

func TestClaimsThatCannotBeAreRefused(t *testing.T) {
	for name, value := range map[string]string{"exp": "soon", "extra": "json:{"} {
		if err := CheckClaims(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), "claim "+name) {
			t.Errorf("claim %s %s: %v", name, value, err)
		}
	}
}
