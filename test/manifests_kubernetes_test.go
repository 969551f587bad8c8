package test

import (
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/manifest"
)

// rendered is what `kubectl kustomize` makes of an example, and an application with it.
type rendered struct {
	application, other *appsv1.Deployment
	claim              *corev1.PersistentVolumeClaim
	config             *corev1.ConfigMap
	service            *corev1.Service
	account            *corev1.ServiceAccount
	disruption         *policyv1.PodDisruptionBudget
	role               *rbacv1.Role
	binding            *rbacv1.RoleBinding
	secrets            []*corev1.Secret
	leases             []*coordinationv1.Lease
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

// decode sorts what was rendered.
func decode(t *testing.T, objects []manifest.Object) (r rendered) {
	t.Helper()
	for _, o := range objects {
		switch o.Kind {
		case "Deployment":
			if o.Name == "other" {
				r.other = strictly[appsv1.Deployment](t, o.Text)
				continue
			}
			r.application = strictly[appsv1.Deployment](t, o.Text)
		case "PersistentVolumeClaim":
			r.claim = strictly[corev1.PersistentVolumeClaim](t, o.Text)
		case "ConfigMap":
			r.config = strictly[corev1.ConfigMap](t, o.Text)
		case "Service":
			r.service = strictly[corev1.Service](t, o.Text)
		case "ServiceAccount":
			r.account = strictly[corev1.ServiceAccount](t, o.Text)
		case "PodDisruptionBudget":
			r.disruption = strictly[policyv1.PodDisruptionBudget](t, o.Text)
		case "Role":
			r.role = strictly[rbacv1.Role](t, o.Text)
		case "RoleBinding":
			r.binding = strictly[rbacv1.RoleBinding](t, o.Text)
		case "Secret":
			r.secrets = append(r.secrets, strictly[corev1.Secret](t, o.Text))
		case "Lease":
			r.leases = append(r.leases, strictly[coordinationv1.Lease](t, o.Text))
		default:
			t.Errorf("nobody expects a %s", o.Kind)
		}
	}
	if r.application == nil || r.config == nil {
		t.Fatalf("something is missing:\n%+v", r)
	}
	return r
}

// TestKubernetesComponentMakesASidecarThatIsTheOnlyHolder renders the example with a
// volume and checks it against the types of Kubernetes, and against what it promises.
func TestKubernetesComponentMakesASidecarThatIsTheOnlyHolder(t *testing.T) {
	r := decode(t, manifest.Component(t, "kubernetes-volume", ""))
	d := r.application.Spec
	if *d.Replicas != 1 || d.Strategy.Type != appsv1.RecreateDeploymentStrategyType || d.Strategy.RollingUpdate != nil {
		t.Errorf("%d replicas are rolled out as %+v: two pods would hold the grant", *d.Replicas, d.Strategy)
	}
	if r.claim == nil || !slices.Equal(r.claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}) {
		t.Errorf("the claim is %v", r.claim)
	}
	pod := d.Template.Spec
	sidecar := onlySidecar(t, &pod)
	if pod.SecurityContext == nil || *pod.SecurityContext.FSGroup != *sidecar.SecurityContext.RunAsGroup {
		t.Error("the volume does not belong to the sidecar's group")
	}
	if other := r.other.Spec.Template.Spec; len(other.InitContainers) != 0 || *r.other.Spec.Replicas != 3 {
		t.Error("an application without the label was changed too")
	}
	checkContainer(t, r, sidecar)
}

// TestKubernetesComponentSharesOneGrantAndLeavesTheApplicationAsItWas: how many replicas
// there are, how they are rolled out, and who their containers run as.
func TestKubernetesComponentSharesOneGrantAndLeavesTheApplicationAsItWas(t *testing.T) {
	r := decode(t, manifest.Component(t, "kubernetes", "shop"))
	was := strictly[appsv1.Deployment](t, []byte(manifest.Application))
	checkContainer(t, r, onlySidecar(t, &r.application.Spec.Template.Spec))
	checkRights(t, r, "default", "shop")
	is := r.application.DeepCopy()
	is.Namespace = ""
	is.Spec.Template.Spec.InitContainers = nil
	is.Spec.Template.Spec.Volumes = nil
	if !reflect.DeepEqual(is, was) {
		t.Errorf("the application was\n%+v\nand is\n%+v", was, is)
	}
}

// TestKubernetesServiceIsRolledOutWithoutAGap: a new replica is ready before an old one
// ends, and an old one ends when nobody sends it requests any more.
func TestKubernetesServiceIsRolledOutWithoutAGap(t *testing.T) {
	r := decode(t, manifest.Service(t, "kubernetes-service", ""))
	d := r.application.Spec
	if rolled := d.Strategy.RollingUpdate; *d.Replicas != 3 || rolled == nil || rolled.MaxSurge.IntValue() != 1 || rolled.MaxUnavailable.String() != "0" {
		t.Errorf("%d replicas are rolled out as %+v", *d.Replicas, d.Strategy)
	}
	if r.disruption == nil || r.disruption.Spec.MaxUnavailable.IntValue() != 1 || !reflect.DeepEqual(r.disruption.Spec.Selector, d.Selector) {
		t.Errorf("nodes are drained with %+v", r.disruption)
	}
	pod := d.Template.Spec
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
		t.Fatalf("there are %d containers", len(pod.Containers))
	}
	c := &pod.Containers[0]
	if r.service == nil || r.service.Spec.Ports[0].TargetPort.StrVal != c.Ports[0].Name || !reflect.DeepEqual(r.service.Spec.Selector, d.Template.Labels) {
		t.Errorf("the service is %+v", r.service)
	}
	if pod.ServiceAccountName != r.account.Name {
		t.Errorf("the pods run as %s", pod.ServiceAccountName)
	}
	if caddyfile := r.config.Data["Caddyfile"]; !strings.Contains(caddyfile, "shutdown_delay ") || !strings.Contains(caddyfile, "caller_secret ") {
		t.Error("a pod ends while requests come, or answers everybody")
	}
	checkContainer(t, r, c)
	checkRights(t, r, r.account.Name, "default")
}

// onlySidecar returns the container that a component adds.
func onlySidecar(t *testing.T, pod *corev1.PodSpec) *corev1.Container {
	t.Helper()
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 1 {
		t.Fatalf("there are %d containers and %d that start before them", len(pod.Containers), len(pod.InitContainers))
	}
	c := &pod.InitContainers[0]
	if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the sidecar is no native one: the application would wait for its end")
	}
	return c
}

// checkContainer checks what all of them have.
func checkContainer(t *testing.T, r rendered, c *corev1.Container) {
	t.Helper()
	pod, caddyfile := &r.application.Spec.Template.Spec, r.config.Data["Caddyfile"]
	checkImage(t, c.Image)
	checkConfined(t, pod, c)
	stop := 30 * time.Second // what Kubernetes gives
	if s := pod.TerminationGracePeriodSeconds; s != nil {
		stop = time.Duration(*s) * time.Second
	}
	checkStopTime(t, caddyfile, stop)
	checkProbes(t, c)
	var variables []string
	for _, e := range c.Env {
		variables = append(variables, e.Name)
	}
	files := mounted(t, pod, c, r)
	checkSupplied(t, caddyfile, files, variables)
	if !slices.Contains(files, "/etc/caddy/Caddyfile") {
		t.Errorf("the image reads /etc/caddy/Caddyfile, and there are %v", files)
	}
}

// checkRights checks that the Role names what there is and nothing else, for who runs.
func checkRights(t *testing.T, r rendered, account, namespace string) {
	t.Helper()
	if !strings.Contains(r.config.Data["Caddyfile"], "oauth2_store kubernetes {\n\t\tobjects named\n") {
		t.Error("the Caddyfile names no store of these objects")
	}
	var secrets, leases []string
	for _, s := range r.secrets {
		secrets = append(secrets, s.Name)
		if len(s.Data)+len(s.StringData) > 0 {
			t.Errorf("%s is not empty: applying it again would write over a record", s.Name)
		}
	}
	for _, l := range r.leases {
		leases = append(leases, l.Name)
	}
	slices.Sort(secrets)
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: secrets, Verbs: []string{"get", "list", "watch", "patch"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: leases, Verbs: []string{"get", "list", "watch", "patch"}},
	}
	if len(secrets) != 2 || len(leases) != 1 || !reflect.DeepEqual(r.role.Rules, want) {
		t.Errorf("the Role grants %+v, and there are %v and %v", r.role.Rules, secrets, leases)
	}
	if s := r.binding.Subjects; len(s) != 1 || s[0].Name != account || s[0].Namespace != namespace || r.binding.RoleRef.Name != r.role.Name {
		t.Errorf("the Role is that of %+v", s)
	}
}

// checkConfined checks what the container may do.
func checkConfined(t *testing.T, pod *corev1.PodSpec, c *corev1.Container) {
	t.Helper()
	may, group := c.SecurityContext, pod.SecurityContext
	if group == nil {
		group = new(corev1.PodSecurityContext)
	}
	nonRoot := func(b *bool) bool { return b != nil && *b }
	confined := func(s *corev1.SeccompProfile) bool {
		return s != nil && s.Type == corev1.SeccompProfileTypeRuntimeDefault
	}
	switch {
	case !nonRoot(group.RunAsNonRoot) && !nonRoot(may.RunAsNonRoot), may.RunAsUser == nil || *may.RunAsUser == 0:
		t.Error("it may run as root")
	case may.ReadOnlyRootFilesystem == nil || !*may.ReadOnlyRootFilesystem:
		t.Error("it may write to its root")
	case may.AllowPrivilegeEscalation == nil || *may.AllowPrivilegeEscalation || !slices.Equal(may.Capabilities.Drop, []corev1.Capability{"ALL"}):
		t.Error("it has privileges that it does not need")
	case !confined(group.SeccompProfile) && !confined(may.SeccompProfile):
		t.Error("it may make every system call")
	case c.Resources.Limits.Memory().IsZero():
		t.Error("it may use all memory")
	}
}

// checkProbes checks that life depends on no token, not even at the start, and readiness
// does.
func checkProbes(t *testing.T, c *corev1.Container) {
	t.Helper()
	for name, check := range map[string]struct {
		probe *corev1.Probe
		flag  string
	}{
		"liveness": {c.LivenessProbe, "--live"}, "start": {c.StartupProbe, "--live"}, "readiness": {c.ReadinessProbe, "--ready"},
	} {
		if check.probe == nil || check.probe.Exec == nil || !slices.Equal(check.probe.Exec.Command, []string{"/usr/bin/lamplighter", "tokens", "health", check.flag}) {
			t.Errorf("the probe of its %s is %+v", name, check.probe)
		}
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
			checkSecrets(t, pod, c, m, v.Secret)
			for _, item := range v.Secret.Items {
				files = append(files, path.Join(m.MountPath, item.Path))
			}
		case v.PersistentVolumeClaim != nil:
			if r.claim == nil || v.PersistentVolumeClaim.ClaimName != r.claim.Name || m.MountPath != "/data" || m.ReadOnly {
				t.Errorf("the grant is not kept in the claim: %+v", m)
			}
		case v.EmptyDir != nil:
			if r.claim != nil || m.MountPath != "/data" || m.ReadOnly || v.EmptyDir.Medium != corev1.StorageMediumMemory {
				t.Errorf("the admin socket is not in memory: %+v", m)
			}
		default:
			t.Errorf("no volume is named %s, or none that keeps anything", m.Name)
		}
	}
	return files
}

// checkSecrets checks that the container can read its secrets and nobody else can: their
// files are root's, and its group's if the pod says so. Without that, they are for all
// who see them, which must be this container alone.
func checkSecrets(t *testing.T, pod *corev1.PodSpec, c *corev1.Container, m corev1.VolumeMount, secret *corev1.SecretVolumeSource) {
	t.Helper()
	if secret.DefaultMode == nil || !m.ReadOnly {
		t.Fatal("somebody may write the secrets")
	}
	mode := *secret.DefaultMode
	if group := pod.SecurityContext; group != nil && group.FSGroup != nil && *group.FSGroup == *c.SecurityContext.RunAsGroup {
		if mode != 0o440 {
			t.Errorf("the secrets have the mode %o", mode)
		}
		return
	}
	if mode != 0o444 {
		t.Errorf("the secrets have the mode %o, and belong to root", mode)
	}
	for _, other := range slices.Concat(pod.Containers, pod.InitContainers) {
		if other.Name != c.Name && slices.ContainsFunc(other.VolumeMounts, func(o corev1.VolumeMount) bool { return o.Name == m.Name }) {
			t.Errorf("%s reads the secrets too", other.Name)
		}
	}
}
