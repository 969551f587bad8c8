package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"lamplighter/bench/program"
)

// Both binaries are built as `make build` does.
const buildTags = "nobadger,nomysql,nopgx"

// build builds Lamplighter, unless LAMPLIGHTER_BINARY names one that is built
// already, and stock Caddy of the same version.
func (b *bench) build(ctx context.Context) error {
	b.lamplighter = filepath.Join(b.dir, "lamplighter")
	given := os.Getenv("LAMPLIGHTER_BINARY")
	if given != "" {
		b.lamplighter = given
		b.note("Lamplighter was not built for this run: LAMPLIGHTER_BINARY is %s.", given)
	}
	b.caddy = filepath.Join(b.dir, "caddy")
	for _, binary := range []struct{ dir, path, pkg string }{
		{b.root, b.lamplighter, "./cmd/lamplighter"},
		{filepath.Join(b.root, "bench"), b.caddy, "github.com/caddyserver/caddy/v2/cmd/caddy"},
	} {
		if binary.path == given {
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", buildTags, "-ldflags", "-s -w", "-o", binary.path, binary.pkg)
		cmd.Dir = binary.dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", binary.pkg, err, out)
		}
	}
	return nil
}

// about is where and of what numbers were taken.
type about struct {
	lines []string
	took  time.Duration
}

func (a about) text() string { return strings.Join(a.lines, "\n") + "\n" }

// describe describes the machine and the programs.
func describe(ctx context.Context, b *bench) (about, error) {
	cpu, kernel, memory, err := program.Machine()
	if err != nil {
		return about{}, err
	}
	commit, err := output(ctx, b.root, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
	if err != nil {
		commit = "unknown"
	}
	caddy, err := output(ctx, b.root, "go", "list", "-m", "-f", "{{.Version}}", "github.com/caddyserver/caddy/v2")
	if err != nil {
		return about{}, err
	}
	if got, err := output(ctx, b.root, "go", "version", "-m", b.caddy); err != nil || !strings.Contains(got, "\tgithub.com/caddyserver/caddy/v2\t"+caddy+"\t") {
		return about{}, fmt.Errorf("stock Caddy is not of the version %s that Lamplighter has: %w", caddy, err)
	}
	return about{lines: []string{
		fmt.Sprintf("%s, %d cores, %s, %s", cpu, runtime.NumCPU(), memory, kernel),
		fmt.Sprintf("Lamplighter %s, Caddy %s, %s", commit, caddy, runtime.Version()),
		version(ctx, "nginx", "-v") + ", " + version(ctx, "haproxy", "-v"),
	}}, nil
}

// version returns the name and version of a program that may be there.
func version(ctx context.Context, program string, arg string) string {
	out, err := output(ctx, "", program, arg)
	if err != nil {
		return "no " + program
	}
	line, _, _ := strings.Cut(out, "\n")
	line = strings.TrimPrefix(line, "nginx version: ")
	line, _, _ = strings.Cut(line, " - http")
	return line
}

// output runs a command and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
