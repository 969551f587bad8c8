// Command packaging makes what operators install, from nothing but this repository:
// archives, packages, a container image, Helm charts, lists of parts and checksums. `make
// dist` calls it. The same sources, version and Go give the same bytes, whoever runs it
// and when.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// release is what is made, and where.
type release struct {
	version   string // of semver.org, with its v
	time      time.Time
	platforms []platform
	root      string                           // of the repository
	work      string                           // for what is made on the way, deleted at the end
	out       string                           // for what is released, emptied before
	tools     struct{ nfpm, cyclonedx string } // packages of Go, with their versions
}

// platform is what a binary is built for.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// semver is what Debian, RPM and Helm can all make a version of.
var semver = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := parse(os.Args[1:])
	if err == nil {
		err = r.make(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// parse reads the flags that the Makefile gives, and SOURCE_DATE_EPOCH
// (reproducible-builds.org), which is the time of every file.
func parse(args []string) (*release, error) {
	r := new(release)
	flags := flag.NewFlagSet("packaging", flag.ContinueOnError)
	flags.StringVar(&r.version, "version", "", "the version, such as v1.0.0-rc.1")
	flags.StringVar(&r.root, "root", "..", "the repository")
	flags.StringVar(&r.out, "out", "", "the directory of what is made")
	flags.StringVar(&r.tools.nfpm, "nfpm", "", "nfpm, as go run takes it")
	flags.StringVar(&r.tools.cyclonedx, "cyclonedx", "", "cyclonedx-gomod, as go run takes it")
	platforms := flags.String("platforms", "linux/amd64", "what to build for")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if !semver.MatchString(r.version) {
		return nil, fmt.Errorf("%q is no version such as v1.0.0-rc.1: make dist VERSION=v1.0.0-rc.1", r.version)
	}
	for name := range strings.FieldsSeq(*platforms) {
		system, arch, found := strings.Cut(name, "/")
		if !found {
			return nil, fmt.Errorf("%q is no platform such as linux/amd64", name)
		}
		r.platforms = append(r.platforms, platform{system, arch})
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return nil, errors.New("SOURCE_DATE_EPOCH says no time, in seconds since 1970")
	}
	r.time = time.Unix(seconds, 0).UTC()
	for _, dir := range []*string{&r.root, &r.out} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// make makes everything anew.
func (r *release) make(ctx context.Context) (err error) {
	if r.work, err = os.MkdirTemp("", "lamplighter-dist-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if err := r.empty(); err != nil {
		return err
	}
	if err := r.build(ctx); err != nil {
		return err
	}
	for _, p := range r.platforms {
		if err := r.archive(p); err != nil {
			return err
		}
		if err := r.parts(ctx, p); err != nil {
			return err
		}
		if p.os != "linux" {
			continue
		}
		if err := r.packages(ctx, p); err != nil {
			return err
		}
	}
	if err := r.image(); err != nil {
		return err
	}
	if err := r.charts(); err != nil {
		return err
	}
	return r.sums()
}

// empty empties r.out of an earlier release, and refuses to delete anything else.
func (r *release) empty() error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	for _, f := range old {
		if f.IsDir() || f.Name() != sumsName && !strings.HasPrefix(f.Name(), "lamplighter") {
			return fmt.Errorf("%s has %s, which is of no release: name another directory with DIST=", r.out, f.Name())
		}
	}
	for _, f := range old {
		if err := os.Remove(filepath.Join(r.out, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// file is the path of what is made for a platform.
func (r *release) file(p platform, extension string) string {
	return filepath.Join(r.out, r.name(p)+extension)
}

// name is that of an archive, and of the directory in it. It has no tilde, which some
// that keep releases replace by something else.
func (r *release) name(p platform) string {
	return "lamplighter_" + strings.TrimPrefix(r.version, "v") + "_" + p.String()
}

// binary is where the one of a platform is built.
func (r *release) binary(p platform) string {
	name := "lamplighter"
	if p.os == "windows" {
		name += ".exe"
	}
	return filepath.Join(r.work, p.String(), name)
}
