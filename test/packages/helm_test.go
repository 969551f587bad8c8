package packages

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// objects are what a chart makes.
type objects struct {
	Deployment            *appsv1.Deployment
	Service               *corev1.Service
	ConfigMap             *corev1.ConfigMap
	PersistentVolumeClaim *corev1.PersistentVolumeClaim
	ServiceAccount        *corev1.ServiceAccount
	Role                  *rbacv1.Role
	RoleBinding           *rbacv1.RoleBinding
	PodDisruptionBudget   *policyv1.PodDisruptionBudget
	NetworkPolicy         *networkingv1.NetworkPolicy
	monitors              int
	kept                  []string // empty Secrets and Leases, which Helm never deletes
}

// strictly decodes an object as the API server does with strict field validation.
func strictly(t *testing.T, text []byte, into any) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	unknown, err := kjson.UnmarshalStrict(asJSON, into)
	if err = errors.Join(append(unknown, err)...); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// render has Helm lint a chart and render it with values.
func render(t *testing.T, chart, values string) (o objects) {
	t.Helper()
	in := t.TempDir()
	rig.Write(t, in, "values.yaml", values)
	if _, err := rig.Pinned(t, in, "HELM", "lint", "--strict", "--kube-version=1.33.0", "--values=values.yaml", chart); err != nil {
		t.Error(err)
	}
	text, err := rig.Pinned(t, in, "HELM", "template", "erp", chart, "--namespace=tokens", "--kube-version=1.33.0", "--values=values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
		if strings.TrimSpace(object) != "" {
			o.decode(t, []byte(object))
		}
	}
	return o
}

func (o *objects) decode(t *testing.T, text []byte) {
	t.Helper()
	var kind struct{ Kind, APIVersion string }
	if err := yaml.Unmarshal(text, &kind); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	switch kind.Kind {
	case "Deployment":
		decode(t, text, &o.Deployment)
	case "Service":
		decode(t, text, &o.Service)
	case "ConfigMap":
		decode(t, text, &o.ConfigMap)
	case "PersistentVolumeClaim":
		decode(t, text, &o.PersistentVolumeClaim)
	case "ServiceAccount":
		decode(t, text, &o.ServiceAccount)
	case "Role":
		decode(t, text, &o.Role)
	case "RoleBinding":
		decode(t, text, &o.RoleBinding)
	case "PodDisruptionBudget":
		decode(t, text, &o.PodDisruptionBudget)
	case "NetworkPolicy":
		decode(t, text, &o.NetworkPolicy)
	case "Secret", "Lease":
		var kept metav1.PartialObjectMetadata
		strictly(t, text, &kept)
		if kept.Annotations["helm.sh/resource-policy"] == "keep" {
			o.kept = append(o.kept, kept.Kind+" "+kept.Name)
		}
	case "ServiceMonitor":
		o.monitors++
	default:
		t.Errorf("nobody expects this:\n%s", text)
	}
}

// decode decodes the only object of its kind.
func decode[T any](t *testing.T, text []byte, into **T) {
	t.Helper()
	if *into != nil {
		t.Errorf("there are two of them:\n%s", text)
	}
	*into = new(T)
	strictly(t, text, *into)
}

// chart is one of the release.
func chart(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(made(t, first), name+"-1.0.0-rc.1.tgz")
}
