package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// asBinary has the binary of the tests be lamplighter.
const asBinary = "LAMPLIGHTER_TEST_AS_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(asBinary) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// says runs lamplighter, and returns what it prints.
func says(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asBinary+"=1", "XDG_DATA_HOME="+t.TempDir(), "XDG_RUNTIME_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("lamplighter %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestHelpIsAboutThisBinary(t *testing.T) {
	help := says(t, "--help")
	for _, other := range [][]string{nil, {"-h"}, {"help"}} {
		if said := says(t, other...); said != help {
			t.Errorf("lamplighter %s says\n%s", strings.Join(other, " "), said)
		}
	}
	if regexp.MustCompile(`(?m)\$ caddy|^  (upgrade|add-package|remove-package)\b`).MatchString(help) {
		t.Errorf("it has what is not here:\n%s", help)
	}
	at := 0
	for _, word := range []string{"gives applications OAuth 2.0 access tokens", "Examples:", "\n  demo ", "\n  doctor ", "\n  tokens ", "\n  run ", "\n  file-server "} {
		next := strings.Index(help[at:], word)
		if next < 0 {
			t.Fatalf("%q does not come next, after\n%s", word, help[:at])
		}
		at += next
	}
}

// Every example is a command that there is, with the flags that it has.
func TestExamplesOfTheHelpAreCommands(t *testing.T) {
	commands := regexp.MustCompile(`(?m)^  lamplighter (.+?) +#`).FindAllStringSubmatch(examples, -1)
	if len(commands) < 5 {
		t.Fatalf("only %d were seen", len(commands))
	}
	for _, command := range commands {
		var words, flags []string
		for word := range strings.FieldsSeq(command[1]) {
			if strings.HasPrefix(word, "-") {
				flags = append(flags, word)
			}
			words = append(words, word)
		}
		help := says(t, append(words, "--help")...)
		if !regexp.MustCompile(`(?m)^  lamplighter ` + words[0] + `\b`).MatchString(help) {
			t.Errorf("lamplighter %s is none:\n%s", command[1], help)
		}
		if words[0] == "tokens" && !strings.Contains(help, "lamplighter tokens "+words[1]) {
			t.Errorf("lamplighter %s is none:\n%s", command[1], help)
		}
		for _, flag := range flags {
			if !strings.Contains(help, flag+" ") {
				t.Errorf("lamplighter %s has no %s:\n%s", command[1], flag, help)
			}
		}
	}
}

// Packages install the manual.
func TestTheManualIsAboutThisBinary(t *testing.T) {
	dir := t.TempDir()
	says(t, "manpage", "--directory", dir)
	text, err := os.ReadFile(filepath.Join(dir, "lamplighter.8"))
	if err != nil {
		t.Fatal(err)
	}
	if page := string(text); strings.Contains(page, "$ caddy") || !strings.Contains(page, "lamplighter tokens login erp") {
		t.Errorf("the manual has the examples of another one:\n%s", page)
	}
	for page, want := range map[string]string{
		"lamplighter":               "lamplighter - gives applications OAuth 2.0 access tokens",
		"lamplighter-tokens-rename": "lamplighter tokens rename <old> <new>",
		"lamplighter-tokens-move":   "move <client> --from <store> | --to <store>",
		"lamplighter-tokens-health": "  0  all is well\n  1  a client has no valid token\n",
	} {
		text, err := os.ReadFile(filepath.Join(dir, page+".8"))
		if err != nil || !strings.Contains(strings.ReplaceAll(string(text), `\-`, "-"), want) {
			t.Errorf("%s has no %q (%v):\n%s", page, want, err, text)
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.8"))
	if err != nil || len(pages) < 20 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		name := strings.ToUpper(strings.TrimSuffix(filepath.Base(page), ".8"))
		if _, header, _ := strings.Cut(string(text), ".TH "); err != nil || !strings.HasPrefix(strings.ReplaceAll(header, `\-`, "-"), `"`+name+`" "8"`) {
			t.Errorf("%s is called %.60q (%v)", page, header, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "lamplighter-upgrade.8")); err == nil {
		t.Error("it has a page about a command that cannot work")
	}
}
