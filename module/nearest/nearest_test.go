package nearest

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTheWordThatWasMeantIsFound(t *testing.T) {
	settings := []string{"client_id", "client_secret", "client_secret_next", "scope", "store", "rotation", "rotation_overlap", "wait"}
	for word, want := range map[string]string{
		"client_secert": "client_secret", "client-id": "client_id", "Scope": "scope", "scop": "scope", "scopes": "scope", "rotatoin": "rotation",
		"wiat": "wait", "quite_another": "", "": "", "x": "", "client_secret": "",
	} {
		if got := To(word, settings...); got != want && (word != "client_secret" || got != "") {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
	if got := Hint("tencent_eaim", "tencent_eiam", "tencent_ciam"); got != " (did you mean tencent_eiam?)" {
		t.Errorf("got %q", got)
	}
	if got := Hint("own", "tencent_eiam"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestDistanceIsOne(t *testing.T) {
	word := rapid.StringMatching("[a-z_]{0,20}")
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) {
			t.Fatalf("%q %q: %d, and back %d", a, b, d, distance(b, a))
		}
	})
}
