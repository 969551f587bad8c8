package login

import (
	"strings"
	"testing"

	"lamplighter/module/internal/hostile"
	"lamplighter/module/internal/redact"
)

// Fault A14.
func TestADeviceAnswerThatIsHostileIsRefused(t *testing.T) {
	redact.Remember("the-device-code-of-this")
	for _, d := range []struct{ code, address string }{
		{"ABCD" + hostile.Text, "https://as.example/device"},
		{"", "https://as.example/device"},
		{" ", "https://as.example/device"},
		{strings.Repeat("A", 1000), "https://as.example/device"},
		{"the-device-code-of-this", "https://as.example/device"},
		{"ABCD", "https://as.example/" + hostile.Text},
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
		hostile.CheckPrintable(t, "an error", err.Error())
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
