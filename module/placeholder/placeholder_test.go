package placeholder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsAreResolvedOrTheErrorNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("LAMPLIGHTER_TEST", "from-env")
	t.Setenv("LAMPLIGHTER_EMPTY", "")

	for name, tc := range map[string]struct{ raw, want, err string }{
		"literal":                  {raw: "oG4+q/x=&%25 é", want: "oG4+q/x=&%25 é"},
		"environment":              {raw: "{env.LAMPLIGHTER_TEST}", want: "from-env"},
		"mixed":                    {raw: "a-{env.LAMPLIGHTER_TEST}-b", want: "a-from-env-b"},
		"file":                     {raw: "{file." + file("plain", "s3cret") + "}", want: "s3cret"},
		"file with line break":     {raw: "{file." + file("lf", "s3cret\n") + "}", want: "s3cret"},
		"file with CRLF":           {raw: "{file." + file("crlf", "s3cret\r\n") + "}", want: "s3cret"},
		"file with two breaks":     {raw: "{file." + file("two", "s3cret\n\n") + "}", want: "s3cret\n"},
		"braces in a file":         {raw: "{file." + file("braces", "a{b}c{env.HOME}") + "}", want: "a{b}c{env.HOME}"},
		"unset variable":           {raw: "{env.LAMPLIGHTER_NO}", err: "client_secret: the environment variable LAMPLIGHTER_NO is not set or empty"},
		"empty variable":           {raw: "{env.LAMPLIGHTER_EMPTY}", err: "LAMPLIGHTER_EMPTY is not set or empty"},
		"missing file":             {raw: "{file." + dir + "/none}", err: dir + "/none: no such file"},
		"empty file":               {raw: "{file." + file("empty", "") + "}", err: dir + "/empty is empty"},
		"file of a line break":     {raw: "{file." + file("break", "\n") + "}", err: "nothing but a line break"},
		"directory":                {raw: "{file." + dir + "}", err: "is a directory"},
		"a value of the request":   {raw: "{http.request.header.X}", err: "{http.request.header.X} is a value of a request"},
		"a file without its brace": {raw: "{file." + file("open", "s3cret"), err: "client_secret: a placeholder in it has no closing brace"},
		"a name without its brace": {raw: "a-{env.LAMPLIGHTER_TEST", err: "no closing brace"},
		"the second one is open":   {raw: "{env.LAMPLIGHTER_TEST}{env.LAMPLIGHTER_TEST", err: "no closing brace"},
		"a brace after it":         {raw: "{env.LAMPLIGHTER_TEST}{", want: "from-env{"},
		"braces in a literal":      {raw: "se{cr}et", err: "write {file./path/to/it}"},
		"other global value":       {raw: "{system.hostname}", err: "only"},
		"shorthand of the request": {raw: "{header.X}", err: "write {file."},
	} {
		t.Run(name, func(t *testing.T) {
			var r Resolver
			got := r.Value("client_secret", tc.raw)
			switch {
			case tc.err == "" && (r.Err != nil || got != tc.want):
				t.Errorf("got %q, %v; want %q", got, r.Err, tc.want)
			case tc.err != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), tc.err)):
				t.Errorf("got %v, want an error with %q", r.Err, tc.err)
			case r.Err != nil && strings.Contains(r.Err.Error(), "cr}et"):
				t.Errorf("the secret is in the error: %v", r.Err)
			}
		})
	}
}
