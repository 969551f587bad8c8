package tokenendpoint

import (
	"strings"
	"testing"
)

func TestFewerScopesThanWereAskedForAreRemarked(t *testing.T) {
	for _, one := range []struct {
		asked   []string
		granted string
		missing string
	}{
		{[]string{"read", "write"}, "read", "write"},
		{[]string{"read write", "admin"}, "write", "read admin"},
		{[]string{"read", "write"}, "write read more", ""},
		{[]string{"read", "write"}, "read,write", ""},
		{[]string{"read"}, "", ""},
		{nil, "read", ""},
		{[]string{"openid", "offline_access", "api://x/.default", "read"}, "read", ""},
	} {
		a := Answer{Outcome: Granted, Scope: one.granted}
		a.narrowed(one.asked, nil)
		said := ""
		if len(a.Remarks) > 0 {
			said = a.Remarks[0].Detail
		}
		if (one.missing == "") != (said == "") || !strings.Contains(said, one.missing) {
			t.Errorf("asked %q, granted %q: %q", one.asked, one.granted, said)
		}
	}
	refused := Answer{Outcome: Refused, Scope: "read"}
	if refused.narrowed([]string{"write"}, nil); len(refused.Remarks) > 0 {
		t.Errorf("%+v", refused)
	}
}
