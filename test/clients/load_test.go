package clients

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestLoadGenerators let programs that make many requests on few connections, one
// of them with several under way on each, say whether an answer was missing or not
// the one that they expect.
func TestLoadGenerators(t *testing.T) {
	t.Parallel()
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, []byte(strings.Repeat("a line of an upload\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []struct {
		name, remedy string
		args         func(s *site) []string
		good, bad    string
	}{
		{"ab", "install apache2-utils", func(s *site) []string {
			return []string{"-q", "-k", "-n", "2000", "-c", "8", s.URL("/hello")}
		}, `Failed requests: +0\n`, `Non-2xx responses`},
		{"ab", "install apache2-utils", func(s *site) []string {
			return []string{"-q", "-k", "-n", "1000", "-c", "8", "-p", upload, s.URL("/digest")}
		}, `Failed requests: +0\n`, `Non-2xx responses`},
		{"wrk", "install wrk", func(s *site) []string {
			return []string{"-t1", "-c8", "-d2s", "-s", filepath.Join("testdata", "pipeline.lua"), s.URL("/")}
		}, `(\d+) requests in`, `Non-2xx|Socket errors`},
		{"wget", "install wget", func(s *site) []string {
			return []string{"-q", "-O", "-", "--compression=auto", "--post-file", upload, s.URL("/moved-digest")}
		}, regexp.QuoteMeta(digestOf(strings.Repeat("a line of an upload\n", 500))), `ERROR`},
	} {
		t.Run(program.name, func(t *testing.T) {
			t.Parallel()
			path := rig.Need(t, program.name, program.remedy)
			is := newIssuer(t, false)
			s := &site{name: program.name, upstream: serve(t, httptest.NewUnstartedServer(is.protect(newAPI()))).URL, issuer: is, overlap: "none"}
			runSites(t, s)
			runs := 0
			for done := rotated(s); !done(); runs++ {
				out := run(t, path, program.args(s)...)
				if !regexp.MustCompile(program.good).MatchString(out) || regexp.MustCompile(program.bad).MatchString(out) {
					t.Fatalf("after %d runs:\n%s", runs, out)
				}
			}
			t.Logf("%d runs\n%s", runs, rejections(s))
		})
	}
}
