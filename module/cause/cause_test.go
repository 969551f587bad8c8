package cause_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lamplighter/module/cause"
)

var update = flag.Bool("update", false, "write what is made from the table")

const causesPage = "../../docs/causes.md"

// TestCausesPage is the golden test of all words, and docs/causes.md its file.
func TestCausesPage(t *testing.T) {
	var page bytes.Buffer
	fmt.Fprint(&page, `# Causes

Every cause and its words, as they are in the log, in answers of our own, in the [admin API](admin-api.md) and on the status
page. [Troubleshooting](troubleshooting.md) explains them. What stands in braces is filled in. A cause that does not pass by
itself needs somebody; the others may, and are worth a look if they stay.

<!-- Made from module/cause/table.go by `+"`go test ./module/cause -update`"+`: edit it there. -->
`)
	var sources []cause.Source
	for _, c := range cause.Causes() {
		if !slices.Contains(sources, c.Source) {
			sources = append(sources, c.Source)
		}
	}
	for _, source := range sources {
		fmt.Fprintf(&page, "\n## %s\n\n| cause | what is wrong | what to do | passes |\n|---|---|---|---|\n", strings.ToUpper(string(source[:1]))+string(source[1:]))
		for _, c := range cause.Causes() {
			if c.Source != source {
				continue
			}
			name, passes := "`"+c.Name+"`", "no"
			if c.Name == "" {
				name = "the server's own code"
			}
			if c.Case != "" {
				name += ", " + c.Case
			}
			if c.Passes {
				passes = "by itself"
			}
			fmt.Fprintf(&page, "| %s | %s | %s | %s |\n", name, braced(c.Sentence), braced(c.Remedy), passes)
		}
	}
	if *update {
		if err := os.WriteFile(causesPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if known, err := os.ReadFile(causesPage); err != nil || !bytes.Equal(known, page.Bytes()) {
		t.Errorf("%s is not what the table says (%v): run 'go test ./module/cause -update', and look at the difference", causesPage, err)
	}
}

// braced keeps what looks like a tag from being one.
func braced(words string) string {
	return strings.NewReplacer("<", "&lt;", "|", `\|`).Replace(words)
}

// Fault A11.
func TestWhatDoesNotPassByItselfNeverSaysThatNothingIsNeeded(t *testing.T) {
	for _, c := range cause.Causes() {
		says := strings.Contains(c.Remedy, "none needed") || strings.Contains(c.Remedy, "wait that long")
		if says != c.Passes {
			t.Errorf("%s %q: passes %v, and the remedy is %q", c.Name, c.Case, c.Passes, c.Remedy)
		}
		lasting := !c.Passes && c.Name != "" && slices.Contains([]cause.Source{cause.TokenEndpoint, cause.Proxy, cause.Metadata}, c.Source)
		if told := strings.Contains(c.With().Remedy, "does not pass by itself"); told != lasting {
			t.Errorf("%s %q: whether it passes by itself is told: %v; %q", c.Name, c.Case, told, c.With().Remedy)
		}
	}
}

func TestTheTableIsInOrder(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range cause.Causes() {
		key := c.Name + "/" + c.Case
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if c.Case != "" && c.Name != "" && c.Case != "log-in" && !seen[c.Name+"/"] {
			t.Errorf("%s stands before the usual case, or without one", key)
		}
		if !regexp.MustCompile(`^[a-z0-9_]*$`).MatchString(c.Name) || c.Sentence == "" || c.Remedy == "" || c.Source == "" {
			t.Errorf("%+v", c)
		}
		filled := c.With()
		for _, words := range []string{filled.Sentence, strings.ReplaceAll(filled.Remedy, "{ encryption_key <file> }", "")} {
			if strings.ContainsAny(words, "{}\n") && !strings.Contains(words, "'tls { ") || strings.HasSuffix(words, ".") {
				t.Errorf("%s: %q is no sentence with all its facts", key, words)
			}
		}
	}
}

func TestFactsAreFilledInOnceAndNotReadAgain(t *testing.T) {
	c := cause.Of("issuer_mismatch").With("issuer", "{named}", "named", "{issuer}")
	if c.Sentence != "the metadata of issuer {named} names the issuer {issuer}" {
		t.Error(c.Sentence)
	}
	if c := cause.Of("no_refresh_token").With("client", "erp"); !strings.Contains(c.Remedy, "tokens login erp") || strings.Contains(c.Remedy, "<client>") {
		t.Error(c.Remedy)
	}
}

func TestAWordThatNobodyKnowsIsACodeOfTheTokenEndpoint(t *testing.T) {
	if c := cause.Of("40029"); c.Name != "40029" || c.Passes || c.Remedy == "" {
		t.Errorf("%+v", c)
	}
	if c := cause.Of("refused", "no such case"); c.Case != "" || c.Remedy != cause.Of("refused").Remedy {
		t.Errorf("%+v", c)
	}
}

// TestTroubleshootingHasASectionForEveryCause is for whoever reads a word and
// looks for it.
func TestTroubleshootingHasASectionForEveryCause(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cause.Causes() {
		section, row := "\n### `"+c.Name+"`\n", "\n| `"+c.Name+"` | "
		if c.Name == "" {
			section = "\n### Any other word\n"
		}
		if text := string(page); !strings.Contains(text, section) && (c.Source != cause.Caller && c.Source != cause.Upstream && c.Source != cause.Configuration || !strings.Contains(text, row)) {
			t.Errorf("docs/troubleshooting.md has no section %q", strings.TrimSpace(section))
		}
	}
	for _, heading := range regexp.MustCompile("(?m)^### `(\\w+)`$").FindAllStringSubmatch(cut(string(page), "\n## Causes"), -1) {
		if !slices.ContainsFunc(cause.Causes(), func(c cause.Cause) bool { return c.Name == heading[1] }) {
			t.Errorf("docs/troubleshooting.md explains %s, which is no cause", heading[1])
		}
	}
}

func cut(text, at string) string {
	_, after, _ := strings.Cut(text, at)
	return after
}

// TestEveryCauseInTheSourceIsInTheTable finds words that have none of their own.
func TestEveryCauseInTheSourceIsInTheTable(t *testing.T) {
	known := make(map[string]bool)
	for _, c := range cause.Causes() {
		known[c.Name] = true
	}
	words := regexp.MustCompile(`(?m)^\t[Cc]ause\w+ += "(\w+)"|\bCause: +"(\w+)"|\bcause\.Of\("(\w+)"`)
	found := 0
	err := filepath.WalkDir("..", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(name)
		for _, match := range words.FindAllStringSubmatch(string(source), -1) {
			found++
			if word := strings.Join(match[1:], ""); !known[word] {
				t.Errorf("%s: the cause %s is not in the table", name, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 30 {
		t.Errorf("only %d causes were seen", found)
	}
}

// TestNoRemedyLogsInWhereNobodyCan: whatever the cause, and wherever the refresh token comes from.
func TestNoRemedyLogsInWhereNobodyCan(t *testing.T) {
	instead := 0
	for _, row := range cause.Causes() {
		for _, written := range []string{"", "{file./run/token}", "{env.TOKEN}", "literal"} {
			remedy := cause.SupplyOf(written).With(row.With("client", "erp").Remedy)
			without := cause.WithoutLogin("erp", remedy)
			switch underWay := row.Case == "log-in"; {
			case underWay:
			case strings.Contains(without, "tokens login"), strings.Contains(without, "log in"):
				t.Errorf("%s %s: %s", row.Name, row.Case, without)
			case strings.Contains(remedy, "tokens login"):
				instead++
				if strings.Contains(without, "neither") && !strings.Contains(without, ", or put one") || strings.Contains(without, "none of them") {
					t.Errorf("%s %s counts what is not there: %s", row.Name, row.Case, without)
				}
			case without != remedy && strings.Contains(remedy, "tokens import"):
				t.Errorf("%s %s: %s", row.Name, row.Case, without)
			}
		}
	}
	if instead < 40 {
		t.Errorf("only %d remedies were seen that speak of a log-in", instead)
	}
}
