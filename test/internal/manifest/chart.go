package manifest

import (
	"os"
	"path/filepath"
	"testing"

	"lamplighter/test/internal/rig"
)

// Chart renders a release of the chart lamplighter that is named erp, from the sources, as
// `helm template` does.
func Chart(t testing.TB, values, namespace string) string {
	t.Helper()
	root, err := rig.Repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	chart := filepath.Join(dir, "lamplighter")
	for to, from := range map[string]string{chart: "lamplighter", filepath.Join(chart, "charts", "lamplighter-sidecar"): "lamplighter-sidecar"} {
		if err := os.CopyFS(to, os.DirFS(filepath.Join(root, "charts", from))); err != nil {
			t.Fatal(err)
		}
	}
	rig.Write(t, dir, "values.yaml", values)
	text, err := rig.Pinned(t, dir, "HELM", "template", "erp", chart, "--namespace="+namespace, "--kube-version=1.33.0", "--values=values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
