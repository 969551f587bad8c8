package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nobody is the user that the image runs as.
const nobody = 65532

// image writes one image for all Linux platforms, as an archive with the layout of
// opencontainers.org. It is what the Dockerfile builds, which a test compares, but of
// binaries that are there already: nothing is pulled.
func (r *release) image() error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.platforms {
		if p.os != "linux" {
			continue
		}
		image, err := r.imageOf(p)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	dir := filepath.Join(r.work, "image")
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	name := map[string]string{"org.opencontainers.image.ref.name": strings.TrimPrefix(r.version, "v")}
	if err := path.AppendIndex(index, layout.WithAnnotations(name)); err != nil {
		return err
	}
	return create(filepath.Join(r.out, "lamplighter_"+strings.TrimPrefix(r.version, "v")+"_oci.tar"), func(w io.Writer) error {
		return r.pack(w, dir)
	})
}

// imageOf is the image of one platform.
func (r *release) imageOf(p platform) (v1.Image, error) {
	files, err := r.layer(r.binary(p))
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: r.time}, CreatedBy: "make dist",
	}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.os, p.arch, v1.Time{Time: r.time}
	config.Config = r.config()
	return mutate.ConfigFile(image, config)
}

// config is what the last stage of the Dockerfile says.
func (r *release) config() v1.Config {
	return v1.Config{
		User:       "65532:65532",
		WorkingDir: "/data",
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"XDG_DATA_HOME=/data", "XDG_CONFIG_HOME=/data/config", "HOME=/data",
		},
		Entrypoint: []string{"/usr/bin/lamplighter"},
		Cmd:        []string{"run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
		// Not of OCI's, but where Docker and BuildKit keep it; others ignore it.
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/usr/bin/lamplighter", "tokens", "health", "--live"},
			Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 5 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Lamplighter",
			"org.opencontainers.image.description": "A sidecar that gives applications OAuth 2.0 access tokens: Caddy with modules that keep them fresh",
			"org.opencontainers.image.version":     r.version,
			"org.opencontainers.image.licenses":    "Apache-2.0",
		},
	}
}

// layer is the file system: one binary under two names, and a directory that only
// nobody may read.
func (r *release) layer(binary string) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, h := range []*tar.Header{
		{Name: "data/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: nobody, Gid: nobody},
		{Name: "data/config/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: nobody, Gid: nobody},
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "etc/caddy/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "usr/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "usr/bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "usr/bin/caddy", Typeflag: tar.TypeSymlink, Linkname: "lamplighter", Mode: 0o777},
		{Name: "usr/bin/lamplighter", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))},
	} {
		h.ModTime, h.Format = r.time, tar.FormatUSTAR
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return files.Bytes(), err
}

// pack writes a directory as an archive, in the order of its names.
func (r *release) pack(w io.Writer, dir string) error {
	var entries []entry
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		entries = append(entries, entry{filepath.ToSlash(name), path, 0o644})
		return err
	})
	if err != nil {
		return err
	}
	return r.tar(w, entries)
}
