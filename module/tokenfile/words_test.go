package tokenfile

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"lamplighter/module/cause"
)

// TestTroubleWithFilesSaysWhatTheTableSays brings each row of the table about that is of
// files.
func TestTroubleWithFilesSaysWhatTheTableSays(t *testing.T) {
	const file = "/run/a file"
	failure := errors.New("what the system says")
	brought := map[string]*Trouble{
		"token_file_failed":           troubleOf(file, failure),
		"token_file_failed, slow":     slow(file, time.Minute),
		"token_file_failed, group":    troubleOf(file, groupError{failure}),
		"token_file_failed, unfit":    troubleOf(file, unfitError{failure}),
		"token_file_exposed":          troubleOf(file, exposedError{failure}),
		"token_file_exposed, changed": changed(file),
	}
	for _, row := range cause.Causes() {
		if row.Source != cause.TokenFile {
			continue
		}
		key := strings.TrimSuffix(row.Name+", "+row.Case, ", ")
		got := brought[key]
		if got == nil {
			t.Errorf("nobody brings %s about", key)
			continue
		}
		says := func(text, words string) bool {
			return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(words), `\{file\}`, "'/run/a file'")).MatchString(text)
		}
		if got.Cause != row.Name || !says(got.Detail, row.Sentence) || !says(got.Remedy, row.Remedy) || got.Lasts() == row.Passes {
			t.Errorf("%s: %+v is not what the table says", key, got)
		}
	}
}
