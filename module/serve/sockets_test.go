package serve_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// TestOpenDirectoryOfASocket: whoever puts a socket of its own there is asked for tokens in the
// place of ours, and shown the secret of callers, so that it is warned of. The name is short, as
// the path of a socket has to be.
func TestOpenDirectoryOfASocket(t *testing.T) {
	for name, c := range map[string]struct {
		above, dir os.FileMode
		block      string
		warning    string
	}{
		"everybody's":              {0o700, 0o777, "", "everybody can write to DIR"},
		"everybody's, with secret": {0o700, 0o777, "caller_secret {file.SECRET}", "everybody can write to DIR"},
		"sticky":                   {0o700, 0o777 | os.ModeSticky, "caller_secret {file.SECRET}", "everybody can make files in DIR"},
		"one above is everybody's": {0o777, 0o755, "", "everybody can write to ABOVE"},
		"one above is sticky":      {0o777 | os.ModeSticky, 0o711, "", ""},
		"a group's":                {0o755, 0o770, "", ""},
		"its user's":               {0o755, 0o755, "caller_secret {file.SECRET}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			moduletest.Write(t, s, "long", "open sesame, at length")
			above := filepath.Join(s.Dir, "a")
			dir := filepath.Join(above, "b")
			if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, c.dir), os.Chmod(above, c.above)); err != nil {
				t.Fatal(err)
			}
			site := s.Site("", "serve_token erp {\n"+strings.ReplaceAll(c.block, "SECRET", s.Dir+"/long")+"\n}")
			s.Load(strings.Replace(site, "bind 127.0.0.1", "bind unix/"+dir+"/s", 1))
			log, err := os.ReadFile(s.Log)
			if err != nil {
				t.Fatal(err)
			}
			warning := strings.NewReplacer("DIR", dir, "ABOVE", above).Replace(c.warning)
			if warned := strings.Contains(string(log), "everybody can"); warned != (warning != "") || !strings.Contains(string(log), warning) {
				t.Errorf("want %q in the log, which is %s", warning, log)
			}
		})
	}
}
