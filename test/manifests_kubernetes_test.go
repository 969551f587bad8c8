package test

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// What an operator has: an application that is rolled out, and one that is not
// concerned.
const (
	application = `apiVersion: apps/v1
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

// rendered is what `kubectl kustomize` makes of the component and an
// application.
type rendered struct {
	application, other *appsv1.Deployment
	claim              *corev1.PersistentVolumeClaim
	config             *corev1.ConfigMap
}

// strictly decodes a resource as the API server does with strict field
// validation.
func strictly[T any](t *testing.T, text []byte) *T {
	t.Helper()
	out := new(T)
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	unknown, err := kjson.UnmarshalStrict(asJSON, out)
	if err = errors.Join(append(unknown, err)...); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	return out
}

func render(t *testing.T) (r rendered) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "lamplighter"), os.DirFS("../examples/kubernetes")); err != nil {
		t.Fatal(err)
	}
	rig.Write(t, dir, "kustomization.yaml", kustomization)
	rig.Write(t, dir, "application.yaml", application)
	rig.Write(t, dir, "other.yaml", strings.NewReplacer("lamplighter: erp", "lamplighter: none", "legacy-app", "other").Replace(application))
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		switch kind, name := resource.GetKind(), resource.GetName(); {
		case kind == "Deployment" && name == "legacy-app":
			r.application = strictly[appsv1.Deployment](t, text)
		case kind == "Deployment":
			r.other = strictly[appsv1.Deployment](t, text)
		case kind == "PersistentVolumeClaim":
			r.claim = strictly[corev1.PersistentVolumeClaim](t, text)
		case kind == "ConfigMap":
			r.config = strictly[corev1.ConfigMap](t, text)
		default:
			t.Errorf("nobody expects a %s", kind)
		}
	}
	if r.application == nil || r.other == nil || r.claim == nil || r.config == nil {
		t.Fatalf("something is missing:\n%+v", r)
	}
	return r
}

// TestKubernetesComponentMakesASidecarThatIsTheOnlyHolder renders the example
// and checks it against the types of Kubernetes, and against what it promises.
func TestKubernetesComponentMakesASidecarThatIsTheOnlyHolder(t *testing.T) {
	r := render(t)
	d := r.application.Spec
	if *d.Replicas != 1 || d.Strategy.Type != appsv1.RecreateDeploymentStrategyType || d.Strategy.RollingUpdate != nil {
		t.Errorf("%d replicas are rolled out as %+v: two pods would hold the grant", *d.Replicas, d.Strategy)
	}
	if !slices.Equal(r.claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}) {
		t.Errorf("the claim is %v", r.claim.Spec.AccessModes)
	}
	pod := d.Template.Spec
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 1 {
		t.Fatalf("there are %d containers and %d that start before them", len(pod.Containers), len(pod.InitContainers))
	}
	sidecar := pod.InitContainers[0]
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the sidecar is no native one: the application would wait for its end")
	}
	if other := r.other.Spec.Template.Spec; len(other.InitContainers) != 0 || *r.other.Spec.Replicas != 3 {
		t.Error("an application without the label was changed too")
	}
	checkImage(t, sidecar.Image)
	checkConfined(t, &pod, &sidecar)
	checkStopTime(t, r.config.Data["Caddyfile"], time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second)
	checkProbes(t, &sidecar)

	var variables []string
	for _, e := range sidecar.Env {
		variables = append(variables, e.Name)
	}
	files := mounted(t, &pod, &sidecar, r)
	checkSupplied(t, r.config.Data["Caddyfile"], files, variables)
	if !slices.Contains(files, "/etc/caddy/Caddyfile") {
		t.Errorf("the image reads /etc/caddy/Caddyfile, and there are %v", files)
	}
}

// checkConfined checks what the sidecar may do.
func checkConfined(t *testing.T, pod *corev1.PodSpec, c *corev1.Container) {
	t.Helper()
	may, group := c.SecurityContext, pod.SecurityContext
	switch {
	case group.RunAsNonRoot == nil || !*group.RunAsNonRoot || may.RunAsUser == nil || *may.RunAsUser == 0:
		t.Error("the sidecar may run as root")
	case group.FSGroup == nil || *group.FSGroup != *may.RunAsGroup:
		t.Error("the volumes do not belong to the sidecar's group")
	case may.ReadOnlyRootFilesystem == nil || !*may.ReadOnlyRootFilesystem:
		t.Error("the sidecar may write to its root")
	case may.AllowPrivilegeEscalation == nil || *may.AllowPrivilegeEscalation || !slices.Equal(may.Capabilities.Drop, []corev1.Capability{"ALL"}):
		t.Error("the sidecar has privileges that it does not need")
	case group.SeccompProfile == nil || group.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Error("the sidecar may make every system call")
	case c.Resources.Limits.Memory().IsZero():
		t.Error("the sidecar may use all memory")
	}
}

// checkProbes checks that life depends on no token, and readiness does.
func checkProbes(t *testing.T, c *corev1.Container) {
	t.Helper()
	for flag, probe := range map[string]*corev1.Probe{"--live": c.LivenessProbe, "--ready": c.ReadinessProbe} {
		if probe == nil || probe.Exec == nil || !slices.Equal(probe.Exec.Command, []string{"/usr/bin/lamplighter", "tokens", "health", flag}) {
			t.Errorf("the probe that should ask %s is %+v", flag, probe)
		}
	}
	if c.StartupProbe == nil || !slices.Equal(c.StartupProbe.Exec.Command, c.ReadinessProbe.Exec.Command) {
		t.Errorf("the application starts before there is a token: %+v", c.StartupProbe)
	}
}

// mounted are the paths of the files in a container.
func mounted(t *testing.T, pod *corev1.PodSpec, c *corev1.Container, r rendered) (files []string) {
	t.Helper()
	volumes := make(map[string]corev1.VolumeSource)
	for _, v := range pod.Volumes {
		volumes[v.Name] = v.VolumeSource
	}
	for _, m := range c.VolumeMounts {
		switch v := volumes[m.Name]; {
		case v.ConfigMap != nil:
			if v.ConfigMap.Name != r.config.Name || !m.ReadOnly {
				t.Errorf("%s is not the configuration, or may be written", v.ConfigMap.Name)
			}
			for name := range r.config.Data {
				files = append(files, path.Join(m.MountPath, name))
			}
		case v.Secret != nil:
			if v.Secret.DefaultMode == nil || *v.Secret.DefaultMode&0o007 != 0 || !m.ReadOnly {
				t.Error("everybody may read the secrets, or somebody may write them")
			}
			for _, item := range v.Secret.Items {
				files = append(files, path.Join(m.MountPath, item.Path))
			}
		case v.PersistentVolumeClaim != nil:
			if v.PersistentVolumeClaim.ClaimName != r.claim.Name || m.MountPath != "/data" || m.ReadOnly {
				t.Errorf("the grant is not kept in the claim: %+v", m)
			}
		default:
			t.Errorf("no volume is named %s, or none that keeps anything", m.Name)
		}
	}
	return files
}
