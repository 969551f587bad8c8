// Command bench measures what Lamplighter costs, beside what else could do the
// work: every row of its table is a ratio of two things that were measured in
// turns, in one run, on one machine. `make bench` runs it and writes
// docs/performance.md.
//
// It knows Lamplighter only as a binary that it builds and starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lamplighter/bench/load"
)

// part is a group of rows that are measured together.
type part struct {
	name, title string
	run         func(context.Context, *bench) ([]row, error)
}

var parts = []part{
	{"proxy", "Cost of a request", measureProxies},
	{"serving", "Tokens for other proxies", measureServing},
	{"gogc", "How often garbage is collected", measureCollector},
	{"rotation", "Latency while tokens rotate", measureRotation},
	{"start", "Start and size", measureStart},
	{"scale", "Many clients", measureScale},
	{"aged", "Clients that have refreshed often", measureAged},
}

// bench is what all parts share.
type bench struct {
	root        string // of the repository
	dir         string // of everything that is built and written
	quick       bool
	lamplighter string // path of the binary
	caddy       string // path of stock Caddy
	profiles    string // where profiles of Lamplighter are kept, "" for none
	sizes       []int  // numbers of clients, nil for the usual ones
	notes       []string
}

// note keeps something that readers of the table should know.
func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// pick returns what a full run uses, or what a quick one does.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == load.Command {
		exitOn(load.Serve(os.Stdin, os.Stdout))
		return
	}
	root := flag.String("root", "..", "the repository")
	quick := flag.Bool("quick", false, "measure each part for a moment only, and write no files")
	only := flag.String("only", "", "run these parts only, such as proxy,scale, and write no files")
	clients := flag.String("clients", "", "numbers of clients, such as 1,1000, instead of the usual ones; write no files")
	profiles := flag.String("profiles", "", "keep profiles of Lamplighter in this directory")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exitOn(run(ctx, options{*root, *only, *clients, *profiles, *quick}))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	root, only, clients, profiles string
	quick                         bool
}

// run measures the parts and writes what it found.
func run(ctx context.Context, o options) error {
	began := time.Now()
	selected, err := choose(o.only)
	if err != nil {
		return err
	}
	b := &bench{quick: o.quick, profiles: o.profiles}
	if b.root, err = filepath.Abs(o.root); err != nil {
		return err
	}
	if b.sizes, err = numbers(o.clients); err != nil {
		return err
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o700); err != nil {
			return err
		}
	}
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	about, err := describe(ctx, b)
	if err != nil {
		return err
	}
	fmt.Print(about.text())

	var tables []table
	var failed error
	for _, p := range selected {
		fmt.Fprintf(os.Stderr, "%s…\n", p.title)
		rows, err := p.run(ctx, b)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		tables = append(tables, table{p.title, rows})
		fmt.Print(tables[len(tables)-1].markdown())
		for _, r := range rows {
			failed = errors.Join(failed, r.invalid)
		}
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
	}
	about.took = time.Since(began)
	rep := report{about, tables, b.notes}
	fmt.Print(rep.ending())
	if failed != nil || o.quick || o.only != "" || o.clients != "" {
		return failed
	}
	return rep.write(filepath.Join(b.root, "docs"))
}

// numbers reads a list of numbers of clients, of which the first is the baseline.
func numbers(list string) (out []int, err error) {
	if list == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of clients", text)
		}
		out = append(out, n)
	}
	if out[0] != 1 {
		return nil, errors.New("the first number of clients is the baseline and must be 1")
	}
	return out, nil
}

// choose returns the parts of a list of names, all of them for an empty one.
func choose(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	var selected []part
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q", name)
		}
		selected = append(selected, parts[i])
	}
	return selected, nil
}
