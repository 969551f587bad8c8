package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// developing is the version of the charts in the sources.
const developing = "0.0.0-dev"

// charts writes those of Helm, as `helm package --dependency-update` does but for the time
// in it: with the version of the release, which is the image's tag too.
func (r *release) charts() error {
	const deployment, sidecar = "lamplighter", "lamplighter-sidecar"
	top := filepath.Join(r.work, "charts")
	for _, of := range []struct{ chart, to string }{
		{deployment, filepath.Join(top, deployment, deployment)},
		{sidecar, filepath.Join(top, deployment, deployment, "charts", sidecar)},
		{sidecar, filepath.Join(top, sidecar, sidecar)},
	} {
		if err := r.stage(of.chart, of.to); err != nil {
			return err
		}
	}
	for _, chart := range []string{deployment, sidecar} {
		name := filepath.Join(r.out, chart+"-"+strings.TrimPrefix(r.version, "v")+".tgz")
		err := create(name, func(w io.Writer) error {
			small := gzip.NewWriter(w)
			if err := r.pack(small, filepath.Join(top, chart)); err != nil {
				return err
			}
			return small.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stage copies a chart, and gives the copy its version.
func (r *release) stage(chart, to string) error {
	if err := os.CopyFS(to, os.DirFS(filepath.Join(r.root, "charts", chart))); err != nil {
		return err
	}
	name := filepath.Join(to, "Chart.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if n := bytes.Count(text, []byte(developing)); n != 2 {
		return fmt.Errorf("%s says %d times that it is %s, not twice", chart, n, developing)
	}
	return put(name, bytes.ReplaceAll(text, []byte(developing), []byte(strings.TrimPrefix(r.version, "v"))))
}
