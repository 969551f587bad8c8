package main

import (
	"context"
	"path/filepath"
	"strings"
)

// parts writes which modules a binary is made of (CycloneDX, ECMA-424): read from the
// binary itself, not from what it should be made of.
func (r *release) parts(ctx context.Context, p platform) error {
	_, err := r.run(ctx, nil, "go", "run", "-trimpath", r.tools.cyclonedx, "bin", "-json", "-noserial", "-notimestamp",
		"-version", r.version, "-output", r.file(p, ".cdx.json"), r.binary(p))
	return err
}

// packages writes those of Debian's and of Red Hat's family.
func (r *release) packages(ctx context.Context, p platform) error {
	env := []string{
		"VERSION=" + strings.TrimPrefix(r.version, "v"),
		"ARCH=" + p.arch,
		"BINARY=" + r.binary(p),
		"COMPLETIONS=" + filepath.Join(r.work, completions),
		"MANUAL=" + filepath.Join(r.work, manual),
	}
	for _, format := range []string{"deb", "rpm"} {
		_, err := r.run(ctx, env, "go", "run", "-trimpath", r.tools.nfpm, "package",
			"--config", filepath.Join("packaging", "nfpm.yaml"), "--packager", format, "--target", r.file(p, "."+format))
		if err != nil {
			return err
		}
	}
	return nil
}
