package login

import (
	"strings"
	"testing"
	"unicode"

	"lamplighter/module/internal/redact"
)

// Fault A14.
func TestADeviceAnswerThatIsHostileIsRefused(t *testing.T) {
	const hostile = "\x1b[2J\u009b31m\u202e\u2066\u200f\u061c\u200b\u2028\x00\x7f\xff"
	redact.Remember("the-device-code-of-this")
	for _, d := range []struct{ code, address string }{
		{"ABCD" + hostile, "https://as.example/device"},
		{"", "https://as.example/device"},
		{" ", "https://as.example/device"},
		{strings.Repeat("A", 1000), "https://as.example/device"},
		{"the-device-code-of-this", "https://as.example/device"},
		{"ABCD", "https://as.example/" + hostile},
		{"ABCD", "javascript:alert(1)"},
		{"ABCD", "file:///etc/passwd"},
		{"ABCD", "as.example/device"},
		{"ABCD", "https://user@as.example/"},
		{"ABCD", "https://as.example/the-device-code-of-this"},
		{"ABCD", "https://as.example/ or something else"},
	} {
		err := checkDevice(d.code, d.address)
		if err == nil {
			t.Errorf("%q at %q is shown", d.code, d.address)
			continue
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("prints %q", err)
		}
		if strings.Contains(err.Error(), "the-device-code") {
			t.Errorf("prints %v", err)
		}
	}
	if err := checkDevice("WDJB-MJHT", "https://as.example/device?lang=de"); err != nil {
		t.Error(err)
	}
	if err := checkDevice("123 456", "http://localhost:8080/gerät"); err != nil {
		t.Error(err)
	}
}
