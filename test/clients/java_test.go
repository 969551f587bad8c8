package clients

import (
	"os/exec"
	"path/filepath"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestJavaHTTPClientWithItsDefaults calls every kind of upstream with Java's
// HttpClient, which offers h2c with each of its requests. Fault D9.
func TestJavaHTTPClientWithItsDefaults(t *testing.T) {
	t.Parallel()
	javac := rig.Need(t, "javac", "install openjdk-17-jdk-headless")
	java := rig.Need(t, "java", "install openjdk-17-jre-headless")
	classes := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), javac, "-d", classes, filepath.Join("testdata", "Client.java")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sites := everyKind(t, newAPI())
	runSites(t, sites...)
	drive(t, exec.CommandContext(t.Context(), java, append([]string{"-cp", classes, "Client"}, addresses(sites)...)...), sites...)
}
