package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// entry is a file of an archive.
type entry struct {
	name, from string
	mode       os.FileMode
}

// archive writes what somebody unpacks: the binary, and what one reads first.
func (r *release) archive(p platform) error {
	entries, err := r.entries(p)
	if err != nil {
		return err
	}
	if p.os == "windows" {
		return create(r.file(p, ".zip"), func(w io.Writer) error { return r.zip(w, entries) })
	}
	return create(r.file(p, ".tar.gz"), func(w io.Writer) error {
		small := gzip.NewWriter(w)
		if err := r.tar(small, entries); err != nil {
			return err
		}
		return small.Close()
	})
}

// entries are the files of an archive, in its order.
func (r *release) entries(p platform) ([]entry, error) {
	top := r.name(p)
	entries := []entry{{path.Join(top, filepath.Base(r.binary(p))), r.binary(p), 0o755}}
	add := func(pattern, dir string) error {
		files, err := filepath.Glob(pattern)
		for _, file := range files {
			entries = append(entries, entry{path.Join(top, dir, filepath.Base(file)), file, 0o644})
		}
		return err
	}
	for _, of := range [][2]string{
		{filepath.Join(r.root, "LICENSE"), ""},
		{filepath.Join(r.root, "README.md"), ""},
		{filepath.Join(r.root, "examples", "minimal", "Caddyfile"), ""},
		{filepath.Join(r.work, completions, "*"), completions},
		{filepath.Join(r.work, manual, "*.8"), manual},
	} {
		if err := add(of[0], of[1]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (r *release) tar(w io.Writer, entries []entry) error {
	archive := tar.NewWriter(w)
	for _, e := range entries {
		content, err := os.ReadFile(e.from)
		if err != nil {
			return err
		}
		if err := archive.WriteHeader(&tar.Header{Name: e.name, Mode: int64(e.mode), Size: int64(len(content)), ModTime: r.time, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (r *release) zip(w io.Writer, entries []entry) error {
	archive := zip.NewWriter(w)
	for _, e := range entries {
		content, err := os.ReadFile(e.from)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: later(r.time, time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC))}
		header.SetMode(e.mode)
		file, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := file.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// later is the later of two times: the first that a zip can hold is in 1980.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// put writes a file that holds this.
func put(name string, content []byte) error {
	return create(name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// create writes a file, and reports what only closing it tells.
func create(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
