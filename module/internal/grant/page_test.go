package grant

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// arrows are those that leave a phase, as the page has them.
type arrows struct {
	awaits, then []string
}

// pageTable reads the page's table of phases: each row has where an arrow goes, when it does,
// and the functions in which that is decided.
func pageTable(t *testing.T, page string) map[string]*arrows {
	_, text, ok := strings.Cut(page, "\n| Phase | Awaits | Then | When | In |\n|---|---|---|---|---|\n")
	if !ok {
		t.Fatal("the table of phases is gone")
	}
	functions := functionsHere(t)
	phases := make(map[string]*arrows)
	var of *arrows
	for line := range strings.Lines(text) {
		if line == "\n" {
			break
		}
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		if len(cells) != 5 {
			t.Fatalf("%q has %d cells, want 5", line, len(cells))
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] != "" {
			of = &arrows{awaits: strings.Split(cells[1], ", ")}
			phases[cells[0]] = of
		}
		of.then = append(of.then, strings.Split(cells[2], ", ")...)
		if cells[3] == "" {
			t.Errorf("%q has no reason", line)
		}
		for name := range strings.SplitSeq(cells[4], ", ") {
			if !slices.Contains(functions, strings.Trim(name, "`")) {
				t.Errorf("%q: the machine has no %s", line, name)
			}
		}
	}
	return phases
}

// functionsHere are the names of the machine's functions.
func functionsHere(t *testing.T) (names []string) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^func \(m \*machine\) (\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}
	return names
}

// TestThePageOnTheEngineDrawsTheMachine compares docs/engine.md with the table of the
// package, which what the explorations have seen holds true: each arrow of it is in the page's
// table, once, with its reason, and the picture has none that is not.
func TestThePageOnTheEngineDrawsTheMachine(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, phases := table(t), pageTable(t, string(page))
	for name := range phases {
		if _, ok := rows[name]; !ok {
			t.Errorf("the page has a phase %q, and the package has none", name)
		}
	}
	for name, row := range rows {
		of := phases[name]
		if of == nil {
			t.Errorf("the page has no phase %q", name)
			continue
		}
		slices.Sort(of.then)
		slices.Sort(row.then)
		if !slices.Equal(of.awaits, row.awaits) || !slices.Equal(of.then, row.then) {
			t.Errorf("%s: the page says %v, the package %v", name, *of, row)
		}
	}
	drawn := regexp.MustCompile(`(?m)^    ([a-z_]+) --> ([a-z_]+)`).FindAllStringSubmatch(string(page), -1)
	if len(drawn) < len(phaseNames) {
		t.Errorf("only %d arrows are drawn", len(drawn))
	}
	for _, arrow := range drawn {
		from, to := strings.ReplaceAll(arrow[1], "_", " "), strings.ReplaceAll(arrow[2], "_", " ")
		if !slices.Contains(rows[from].then, to) {
			t.Errorf("the arrow from %s to %s is in no row", from, to)
		}
	}
}

// TestThePageOnTheEngineSaysWhatEachEventDoes: outcomes are in the table of phases, all other
// events in one of their own, with the functions of the machine that know what follows.
func TestThePageOnTheEngineSaysWhatEachEventDoes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	functions := functionsHere(t)
	for _, event := range eventNames[:outcomesFrom] {
		row := regexp.MustCompile(`(?m)^\| ` + event + ` \| [^|]+ \| ([^|]+) \|$`).FindStringSubmatch(string(page))
		if row == nil {
			t.Errorf("the page does not say what %s does", event)
			continue
		}
		for name := range strings.SplitSeq(row[1], ", ") {
			if !slices.Contains(functions, strings.Trim(name, "`")) {
				t.Errorf("%s: the machine has no %s", event, name)
			}
		}
	}
}
