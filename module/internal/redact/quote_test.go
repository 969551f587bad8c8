package redact

import "testing"

func TestAPathInACommandIsOneWordForAShell(t *testing.T) {
	for path, want := range map[string]string{
		"":                      "",
		"/var/lib/ll-1/a_b@c.d": "/var/lib/ll-1/a_b@c.d",
		"/var/my records":       "'/var/my records'",
		"/the other's":          `'/the other'\''s'`,
		"/$HOME;`id`":           "'/$HOME;`id`'",
		`{"kind":"file"}`:       `'{"kind":"file"}'`,
	} {
		if got := Quoted(path); got != want {
			t.Errorf("Quoted(%q) = %s, want %s", path, got, want)
		}
	}
}
