package clients

import (
	"os/exec"
	"path/filepath"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestPythonRequests works with a session of requests: uploads from a generator,
// redirects, compression and cookies.
func TestPythonRequests(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // whose packages are Debian's
	rig.Need(t, python, "install python3")
	if out := run(t, python, "-c", "import requests"); out != "" {
		rig.Skip(t, "there is no requests for %s: install python3-requests", python)
	}
	sites := everyKind(t, newAPI())
	runSites(t, sites...)
	drive(t, exec.CommandContext(t.Context(), python, append([]string{filepath.Join("testdata", "client.py")}, addresses(sites)...)...), sites...)
}
