package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Between these lines of docs/performance.md everything is generated.
const (
	beginMark = "<!-- bench:begin -->"
	endMark   = "<!-- bench:end -->"
)

// table is the rows of a part.
type table struct {
	title string
	rows  []row
}

// report is everything that was measured.
type report struct {
	about  about
	tables []table
	notes  []string
}

func (r report) markdown() string {
	var out strings.Builder
	for _, line := range r.about.lines {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	for _, t := range r.tables {
		out.WriteString(t.markdown())
	}
	out.WriteString(r.ending())
	return out.String()
}

func (t table) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n### %s\n\n| what | measured | baseline | | ratio (min–max) | target | |\n|---|---|---|---|---|---|---|\n", t.title)
	for _, row := range t.rows {
		out.WriteString(row.markdown())
	}
	return out.String()
}

// ending is what comes after the tables.
func (r report) ending() string {
	var out strings.Builder
	out.WriteString("\n")
	for _, note := range r.notes {
		fmt.Fprintf(&out, "- %s\n", note)
	}
	fmt.Fprintf(&out, "- The run took %v.\n", r.about.took.Round(time.Second))
	return out.String()
}

func (r row) markdown() string {
	if r.missing != "" {
		verdict := ""
		if r.target.of != noTarget {
			verdict = "**missed**"
		}
		return fmt.Sprintf("| %s | | %s | | not measured: %s | %s | %s |\n", r.what, r.baseline, r.missing, r.targetText(), verdict)
	}
	ratio := ""
	if s, ok := r.ratio(); ok {
		ratio = fmt.Sprintf("**%s**", ratioText(s.median))
		if len(r.ratios()) > 1 {
			ratio += fmt.Sprintf(" (%s–%s)", ratioText(s.low), ratioText(s.high))
		}
	}
	base := ""
	if len(r.base) > 0 {
		base = r.unit.write(median(r.base))
	}
	verdict := ""
	if met, ok := r.met(); ok {
		verdict = map[bool]string{true: "met", false: "**missed**"}[met]
	}
	if r.invalid != nil {
		verdict = "invalid"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n",
		r.what, r.unit.write(median(r.ours)), r.baseline, base, ratio, r.targetText(), verdict)
}

// ratioText writes a ratio with as many digits as the targets have.
func ratioText(ratio float64) string {
	switch {
	case ratio < 2:
		return fmt.Sprintf("%.3f", ratio)
	case ratio < 100:
		return fmt.Sprintf("%.1f", ratio)
	default:
		return fmt.Sprintf("%.0f", ratio)
	}
}

func (r row) targetText() string {
	switch r.target.of {
	case ratioAtMost:
		return fmt.Sprintf("ratio ≤ %.3g", r.target.limit)
	case ratioAtLeast:
		return fmt.Sprintf("ratio ≥ %.3g", r.target.limit)
	case valueAtMost:
		return "≤ " + r.unit.write(r.target.limit)
	case noTarget:
	}
	return ""
}

// write writes the plot, and the generated part of performance.md.
func (r report) write(docs string) error {
	if err := r.plot(filepath.Join(docs, "performance.svg")); err != nil {
		return err
	}
	path := filepath.Join(docs, "performance.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next, err := splice(old, "\n![The ratios of the tables below](performance.svg)\n\n"+r.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, next, 0o644) //nolint:gosec // a page of the documentation
}

// splice puts text between the marks of a page.
func splice(page []byte, text string) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !found || !closed {
		return nil, fmt.Errorf("there is no %s … %s", beginMark, endMark)
	}
	return bytes.Join([][]byte{before, []byte(beginMark + "\n"), []byte(text), []byte("\n" + endMark), after}, nil), nil
}
