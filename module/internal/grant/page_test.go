package grant

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThePageOnTheEngineDrawsTheMachine compares docs/engine.md with the table of the
// package, which what the explorations have seen holds true.
func TestThePageOnTheEngineDrawsTheMachine(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := table(t)
	found := 0
	for _, match := range regexp.MustCompile(`(?m)^\| ([a-z ]+) \| ([A-Za-z, -]+) \| ([a-z ,]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		row, ok := rows[match[1]]
		if !ok || !slices.Equal(row.awaits, strings.Split(match[2], ", ")) || !slices.Equal(row.then, strings.Split(match[3], ", ")) {
			t.Errorf("the page says %q, the package %v", match[0], row)
		}
		found++
	}
	if found != len(phaseNames) {
		t.Errorf("%d phases are in the table of the page, want %d", found, len(phaseNames))
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
