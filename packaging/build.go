package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Where what the binary says of itself is written, below r.work.
const (
	completions = "completions"
	manual      = "man"
)

// shells are those that the binary makes a completion for, each with its extension.
var shells = map[string]string{"bash": ".bash", "zsh": ".zsh", "fish": ".fish", "powershell": ".ps1"}

// build builds a binary for each platform as `make build` does, and has one of this
// machine write the completions and the manual.
func (r *release) build(ctx context.Context) error {
	for _, p := range r.platforms {
		if err := r.binaryOf(ctx, p, r.binary(p)); err != nil {
			return err
		}
	}
	here := platform{runtime.GOOS, runtime.GOARCH}
	binary := r.binary(here)
	if _, err := os.Stat(binary); err != nil {
		if err := r.binaryOf(ctx, here, binary); err != nil {
			return err
		}
	}
	return r.describe(ctx, binary)
}

func (r *release) binaryOf(ctx context.Context, p platform, to string) error {
	fmt.Println("building for", p)
	_, err := r.run(ctx, []string{"GOOS=" + p.os, "GOARCH=" + p.arch}, "make", "--no-print-directory", "build", "BINARY="+to, "VERSION="+r.version)
	return err
}

// describe writes what the binary knows of its commands.
func (r *release) describe(ctx context.Context, binary string) error {
	dir := filepath.Join(r.work, completions)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for shell, extension := range shells {
		text, err := r.run(ctx, nil, binary, "completion", shell)
		if err != nil {
			return err
		}
		if err := put(filepath.Join(dir, "lamplighter"+extension), text); err != nil {
			return err
		}
	}
	dir = filepath.Join(r.work, manual)
	// The pages have a date, of the time zone that one is in.
	if _, err := r.run(ctx, []string{"TZ=UTC"}, binary, "manpage", "--directory", dir); err != nil {
		return err
	}
	return compress(dir)
}

// compress adds to each file of a directory what `gzip -9n` makes of it.
func compress(dir string) error {
	pages, err := filepath.Glob(filepath.Join(dir, "*.8"))
	if err != nil {
		return err
	}
	if len(pages) == 0 {
		return fmt.Errorf("the binary has written no manual to %s", dir)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		var small bytes.Buffer
		w, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := put(page+".gz", small.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command in the repository, and returns what it prints.
func (r *release) run(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", cmd, err, &out, &errs)
	}
	return out.Bytes(), nil
}
