package clients

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestPythonRequests works with a session of requests: uploads from a generator,
// redirects, compression, and cookies of the application, beside which the token
// is one more where it is injected as a cookie. Fault D8.
func TestPythonRequests(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // whose packages are Debian's
	rig.Need(t, python, "install python3")
	if out := run(t, python, "-c", "import requests"); out != "" {
		rig.Skip(t, "there is no requests for %s: install python3-requests", python)
	}
	sites := everyKind(t, newAPI())
	for _, overlap := range []string{"none", "until_expiry"} {
		is := newIssuer(t, false)
		upstream := serve(t, httptest.NewUnstartedServer(is.protectByCookie(newAPI()))).URL
		sites = append(sites, &site{name: "cookie, overlap " + overlap, upstream: upstream, issuer: is, overlap: overlap, settings: "\t\t\tinject cookie token"})
	}
	runSites(t, sites...)
	drive(t, exec.CommandContext(t.Context(), python, append([]string{filepath.Join("testdata", "client.py")}, addresses(sites)...)...), sites...)
}
