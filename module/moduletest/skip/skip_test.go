package skip

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsSkippedIsTold(t *testing.T) {
	told := filepath.Join(t.TempDir(), "skips")
	t.Setenv("LAMPLIGHTER_SKIPS", told)
	t.Setenv("LAMPLIGHTER_REQUIRE", "")
	t.Run("a", func(t *testing.T) { Missing(t, "no %s", "disk") })
	t.Setenv("LAMPLIGHTER_REQUIRE", "all")
	t.Run("b", func(t *testing.T) { Here(t, "it runs elsewhere") })
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); got != "TestWhatIsSkippedIsTold/a: no disk\nTestWhatIsSkippedIsTold/b: it runs elsewhere\n" {
		t.Errorf("told %q", got)
	}
}

// fatal is a test that takes note of how it ends.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Helper()                           {}
func (f *fatal) Fatalf(format string, args ...any) { f.said = format; panic(f) }

func TestNothingIsMissingWhereEverythingIsRequired(t *testing.T) {
	t.Setenv("LAMPLIGHTER_REQUIRE", "all")
	f := new(fatal)
	defer func() {
		if recover() != any(f) || !strings.Contains(f.said, "no disk") {
			t.Errorf("said %q", f.said)
		}
	}()
	Missing(f, "no disk")
}
