// Package manifest makes of the examples for Kubernetes what `kubectl kustomize` does.
package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"lamplighter/test/internal/rig"
)

// What an operator has: an application that is rolled out, and one that is not
// concerned.
const (
	Application = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: legacy-app
  labels:
    lamplighter: erp
spec:
  replicas: 3
  selector:
    matchLabels:
      app: legacy-app
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
  template:
    metadata:
      labels:
        app: legacy-app
    spec:
      containers:
        - name: app
          image: registry.example.com/legacy-app:1.0
`
	kustomization = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - application.yaml
  - other.yaml
components:
  - lamplighter
`
)

// Object is a rendered object.
type Object struct {
	Kind, Name string
	Text       []byte
}

// Example is the directory of an example.
func Example(t testing.TB, name string) string {
	t.Helper()
	root, err := rig.Repository()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "examples", name)
}

// Component renders a component with those applications, in a namespace unless that is "".
func Component(t testing.TB, example, namespace string) []Object {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "lamplighter"), os.DirFS(Example(t, example))); err != nil {
		t.Fatal(err)
	}
	text := kustomization
	if namespace != "" {
		text += "namespace: " + namespace + "\n"
	}
	rig.Write(t, dir, "kustomization.yaml", text)
	rig.Write(t, dir, "application.yaml", Application)
	rig.Write(t, dir, "other.yaml", strings.NewReplacer("lamplighter: erp", "lamplighter: none", "legacy-app", "other").Replace(Application))
	return render(t, dir)
}

// Service renders an example that is whole by itself, in another namespace unless that
// is "".
func Service(t testing.TB, example, namespace string) []Object {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(Example(t, example))); err != nil {
		t.Fatal(err)
	}
	if namespace != "" {
		text, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		rig.Write(t, dir, "kustomization.yaml", strings.Replace(string(text), "namespace: default\n", "namespace: "+namespace+"\n", 1))
	}
	return render(t, dir)
}

func render(t testing.TB, dir string) (all []Object) {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Object{resource.GetKind(), resource.GetName(), text})
	}
	return all
}
