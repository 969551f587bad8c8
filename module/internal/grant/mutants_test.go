package grant

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutant is a fault that somebody might make, and what must catch it.
type mutant struct {
	name, file, tests string // tests is "<package> <pattern>", "" if it is equivalent
	why               string // it is equivalent
	before, after     string
}

// mutants reads the list. A mutant is a name, "in <file>", "by <package> <pattern of
// tests>" or "equivalent: <why>", and the lines that change, with "- " and "+ ".
func mutants(t *testing.T) (list []mutant) {
	text, err := os.ReadFile("testdata/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		var m mutant
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			switch kind, rest, _ := strings.Cut(line, " "); kind {
			case "#":
			case "in":
				m.file = rest
			case "by":
				m.tests = rest
			case "equivalent:":
				m.why = rest
			case "-":
				m.before += rest + "\n"
			case "+":
				m.after += rest + "\n"
			default:
				m.name = line
			}
		}
		m.before, m.after = strings.TrimSuffix(m.before, "\n"), strings.TrimSuffix(m.after, "\n")
		if m.name != "" {
			list = append(list, m)
		}
	}
	return list
}

// mutate returns the file with the fault in it.
func (m mutant) mutate() (string, error) {
	src, err := os.ReadFile(filepath.Join("..", m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(src), m.before); n != 1 || m.before == "" {
		return "", fmt.Errorf("%s has its lines %d times", m.file, n)
	}
	return strings.Replace(string(src), m.before, m.after, 1), nil
}

func TestMutantsApply(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range mutants(t) {
		if _, err := m.mutate(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if seen[m.name] || (m.tests == "") == (m.why == "") {
			t.Errorf("%s: it needs a name of its own, and either tests that catch it or a reason", m.name)
		}
		seen[m.name] = true
	}
	if len(seen) < 40 {
		t.Errorf("there are %d mutants, fewer than 40", len(seen))
	}
}

// A mutant that does not compile is caught by nothing, and shows nothing.
func TestMutantsCompile(t *testing.T) {
	if os.Getenv("LAMPLIGHTER_MUTANTS") == "" {
		t.Skip("takes a minute; runs by make mutants and make test")
	}
	for _, m := range mutants(t) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			build := exec.CommandContext(t.Context(), "go", "build", "-overlay", m.overlay(t), "../"+filepath.Dir(m.file))
			if text, err := build.CombinedOutput(); err != nil {
				t.Errorf("%s", text)
			}
		})
	}
}

// Each mutant is caught. LAMPLIGHTER_MUTANTS is "all", "five" of the day, or a part
// of names.
func TestMutantsAreCaught(t *testing.T) {
	which := os.Getenv("LAMPLIGHTER_MUTANTS")
	if which == "" {
		t.Skip("takes minutes; runs by make mutants")
	}
	list := slices.DeleteFunc(mutants(t), func(m mutant) bool { return m.why != "" })
	first := time.Now().YearDay() * 5 % len(list)
	for i, m := range list {
		if which == "five" && (i-first+len(list))%len(list) >= 5 || which != "five" && which != "all" && !strings.Contains(m.name, which) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			took := time.Now()
			out, caught := m.run(t)
			if !caught {
				t.Errorf("survives %s\n%s", m.tests, out)
			}
			t.Logf("%s: caught by %s, %.0f s\n%s", m.name, m.tests, time.Since(took).Seconds(), firstFailure(out))
		})
	}
}

// overlay is a build in which the file has the fault.
func (m mutant) overlay(t *testing.T) string {
	src, err := m.mutate()
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mutated, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	data, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{mutated: []byte(src), overlay: data} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// run runs the tests with the fault. Only a test that fails catches it, not one that
// takes too long.
func (m mutant) run(t *testing.T) (out string, caught bool) {
	overlay := m.overlay(t)
	pkg, pattern, _ := strings.Cut(m.tests, " ")
	build := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-run", "^$", "../"+pkg)
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %s", text)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-failfast", "-timeout", "3m", "-run", pattern, "../"+pkg)
	test.Env = append(os.Environ(), "LAMPLIGHTER_MUTANTS=", "LAMPLIGHTER_SKIPS=", "RAPID_NOFAILFILE=true")
	text, err := test.CombinedOutput()
	return string(text), err != nil && !strings.Contains(string(text), "test timed out")
}

// firstFailure is what a test says first.
func firstFailure(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") && !strings.Contains(line, " states, depth ") {
			return line[:min(len(line), 160)]
		}
	}
	return ""
}
