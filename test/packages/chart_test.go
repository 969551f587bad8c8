package packages

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"lamplighter/test/internal/rig"
)

// onAVolume is the least that an operator writes.
const onAVolume = `
caddyfile: |
  {
  	grace_period 10s
  }
  http://:8080 {
  	upstream_oauth https://erp.example.com {
  		callers private_ranges
  		caller_secret {file./run/secrets/caller}
  		client erp {
  			provider tencent_eiam https://acme.example.com
  			client_id erp
  			client_secret {file./run/secrets/eiam_client_secret}
  			refresh_token {file./run/secrets/eiam_refresh_token}
  		}
  	}
  }
secrets:
  - {file: caller, secret: erp-caller, key: secret}
  - {file: eiam_client_secret, secret: erp-eiam, key: client_secret}
  - {file: eiam_refresh_token, secret: erp-eiam, key: refresh_token}
`

// inSecrets has replicas that share their records.
var inSecrets = strings.Replace(onAVolume, "  	grace_period 10s\n", "  	grace_period 10s\n  	oauth2_store kubernetes {\n  		objects named\n  	}\n", 1) + `
replicas: 3
store:
  kind: kubernetes
  clients: [erp]
`

func TestChartRunsOneConfinedHolderWithItsRecordsOnAVolume(t *testing.T) {
	o := render(t, chart(t, "lamplighter"), onAVolume)
	if o.Deployment == nil || o.Service == nil || o.ConfigMap == nil || o.PersistentVolumeClaim == nil || o.ServiceAccount == nil {
		t.Fatalf("something is missing: %+v", o)
	}
	if o.Role != nil || o.PodDisruptionBudget != nil || o.NetworkPolicy != nil || o.monitors != 0 {
		t.Errorf("something is there that nobody has asked for: %+v", o)
	}
	d := o.Deployment.Spec
	if *d.Replicas != 1 || d.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("%d replicas are rolled out as %v: two pods would hold the grant", *d.Replicas, d.Strategy)
	}
	pod := d.Template.Spec
	if *pod.AutomountServiceAccountToken || *pod.TerminationGracePeriodSeconds < 60 {
		t.Errorf("the pod has a token of the API server, or too little time to end: %+v", pod)
	}
	checkContainer(t, &pod, pod.Containers)
	if got := files(&pod, &pod.Containers[0]); !slices.Equal(got, []string{
		"/data: erp-lamplighter", "/etc/caddy: erp-lamplighter",
		"/run/secrets/caller: erp-caller secret",
		"/run/secrets/eiam_client_secret: erp-eiam client_secret", "/run/secrets/eiam_refresh_token: erp-eiam refresh_token",
	}) {
		t.Errorf("mounted are %q", got)
	}
	if o.PersistentVolumeClaim.Annotations["helm.sh/resource-policy"] != "keep" {
		t.Error("whoever uninstalls the chart deletes the grant")
	}
	selected := o.Service.Spec.Selector
	if !reflect.DeepEqual(selected, d.Selector.MatchLabels) || !reflect.DeepEqual(selected, d.Template.Labels) {
		t.Errorf("the service selects %v, and pods have %v", selected, d.Template.Labels)
	}
	if port := o.Service.Spec.Ports[0]; port.TargetPort.StrVal != pod.Containers[0].Ports[0].Name || pod.Containers[0].Ports[0].ContainerPort != 8080 {
		t.Errorf("the service's port is %+v, and the container's %+v", port, pod.Containers[0].Ports)
	}
	checkCaddyfile(t, o.ConfigMap)
}

func TestChartRunsReplicasThatShareAStore(t *testing.T) {
	o := render(t, chart(t, "lamplighter"), inSecrets)
	if o.Role == nil || o.RoleBinding == nil || o.PodDisruptionBudget == nil || o.PersistentVolumeClaim != nil {
		t.Fatalf("something is missing, or too much: %+v", o)
	}
	d := o.Deployment.Spec
	if r := d.Strategy.RollingUpdate; *d.Replicas != 3 || r == nil || r.MaxUnavailable.IntValue() != 0 || r.MaxSurge.IntValue() != 1 {
		t.Errorf("%d replicas are rolled out as %+v", *d.Replicas, d.Strategy)
	}
	if !*d.Template.Spec.AutomountServiceAccountToken {
		t.Error("the pod has no token of the API server")
	}
	subject := o.RoleBinding.Subjects[0]
	if o.RoleBinding.RoleRef.Name != o.Role.Name || subject.Name != d.Template.Spec.ServiceAccountName || subject.Name != o.ServiceAccount.Name || subject.Namespace != "tokens" {
		t.Errorf("%+v binds %s to %+v", o.RoleBinding.RoleRef, o.Role.Name, subject)
	}
	checkRights(t, o, []string{"get", "list", "watch", "patch"}, []string{"lamplighter-erp", "lamplighter-claims.all"}, []string{"lamplighter-erp"})
	for _, name := range []string{"Secret lamplighter-erp", "Secret lamplighter-claims.all", "Lease lamplighter-erp"} {
		if !slices.Contains(o.kept, name) {
			t.Errorf("the Role names %s, which is not there", name)
		}
	}
	checkCaddyfile(t, o.ConfigMap)
	if !reflect.DeepEqual(o.PodDisruptionBudget.Spec.Selector.MatchLabels, d.Selector.MatchLabels) {
		t.Error("the budget is another deployment's")
	}
	created := render(t, chart(t, "lamplighter"), strings.Replace(inSecrets, "objects named", "objects create", 1)+"  objects: create\n")
	checkRights(t, created, []string{"get", "list", "watch", "patch", "create"}, nil, nil)
	if len(created.kept) != 0 {
		t.Errorf("the chart makes %v, which the store makes", created.kept)
	}
}

// checkRights checks what the Role grants: nothing of it deletes.
func checkRights(t *testing.T, o objects, verbs, secrets, leases []string) {
	t.Helper()
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: secrets, Verbs: verbs},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: leases, Verbs: verbs},
	}
	if !reflect.DeepEqual(o.Role.Rules, want) {
		t.Errorf("the Role grants %+v", o.Role.Rules)
	}
}

func TestChartHasWhatAClusterAsksFor(t *testing.T) {
	o := render(t, chart(t, "lamplighter"), onAVolume+`
metrics: {enabled: true, serviceMonitor: {enabled: true}}
networkPolicy:
  enabled: true
  from: [{podSelector: {matchLabels: {app: erp}}}]
  metricsFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
serviceAccount: {name: mine}
store: {existingClaim: grants}
imagePullSecrets: [{name: pull}]
nodeSelector: {disk: local}
podLabels: {team: erp}
podAnnotations: {note: mine}
env: [{name: EIAM_CLIENT_ID, value: erp}]
`)
	if o.NetworkPolicy == nil || len(o.NetworkPolicy.Spec.Ingress) != 2 || o.monitors != 1 || o.ServiceAccount != nil || o.PersistentVolumeClaim != nil {
		t.Fatalf("something is missing, or too much: %+v", o)
	}
	pod := o.Deployment.Spec.Template
	if !slices.Contains(files(&pod.Spec, &pod.Spec.Containers[0]), "/data: grants") {
		t.Error("the claim is another one")
	}
	if pod.Spec.ServiceAccountName != "mine" || pod.Spec.NodeSelector["disk"] != "local" || pod.Labels["team"] != "erp" || pod.Annotations["note"] != "mine" || pod.Spec.ImagePullSecrets[0].Name != "pull" || pod.Spec.Containers[0].Env[0].Name != "EIAM_CLIENT_ID" {
		t.Errorf("the pod is not as one has said: %+v", pod)
	}
	if len(pod.Spec.Containers[0].Ports) != 2 || len(o.Service.Spec.Ports) != 2 || o.Service.Spec.Ports[1].TargetPort.StrVal != "metrics" {
		t.Errorf("metrics are served nowhere: %+v", o.Service.Spec.Ports)
	}
}

func TestChartRefusesWhatWouldLoseAGrant(t *testing.T) {
	for name, c := range map[string]struct{ values, want string }{
		"nothing":                      {"", "caddyfile is empty"},
		"two holders":                  {onAVolume + "replicas: 2\n", "a grant has one holder"},
		"records of nobody":            {onAVolume + "store: {kind: kubernetes}\n", "keeps its records in no store kubernetes"},
		"no shared store":              {onAVolume + "store: {kind: shared}\n", "names no store"},
		"files that die with the pod":  {strings.NewReplacer("oauth2_store kubernetes {", "oauth2_store file {", "kind: kubernetes", "kind: shared").Replace(inSecrets), "keeps records in files"},
		"a Role for everything":        {strings.Replace(inSecrets, "clients: [erp]", "clients: []", 1), "the Role would grant all"},
		"objects that nobody makes":    {strings.Replace(inSecrets, "objects named", "objects create", 1), "does not say objects named"},
		"an image that changes":        {onAVolume + "image: {tag: latest}\n", "/image/tag"},
		"a value with a typing error":  {onAVolume + "replica: 2\n", "replica"},
		"a policy that lets everybody": {onAVolume + "networkPolicy: {enabled: true}\n", "/networkPolicy/from"},
	} {
		in := t.TempDir()
		rig.Write(t, in, "values.yaml", c.values)
		_, err := rig.Pinned(t, in, "HELM", "template", "erp", chart(t, "lamplighter"), "--kube-version=1.33.0", "--values=values.yaml")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChartTakesTheValuesThatThePageShows renders what docs/install.md has.
func TestChartTakesTheValuesThatThePageShows(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Helm\n")
	values := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindStringSubmatch(section)
	if !found || values == nil {
		t.Fatal("the page shows no values")
	}
	o := render(t, chart(t, "lamplighter"), values[1])
	if o.Deployment.Name != "erp-lamplighter" { // as the page calls it
		t.Errorf("the deployment is named %s", o.Deployment.Name)
	}
	checkCaddyfile(t, o.ConfigMap)
}

// TestLibraryPutsASidecarIntoAnotherChart makes the chart that its README shows.
func TestLibraryPutsASidecarIntoAnotherChart(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "charts", "lamplighter-sidecar", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 2 {
		t.Fatalf("the README has %d blocks", len(blocks))
	}
	app := t.TempDir()
	for _, dir := range []string{"templates", "charts"} {
		if err := os.Mkdir(filepath.Join(app, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	rig.Write(t, app, "Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\nicon: file:///icon\n"+blocks[0][1])
	rig.Write(t, filepath.Join(app, "templates"), "deployment.yaml", blocks[1][1])
	output(t, filepath.Join(app, "charts"), "tar", "-xzf", chart(t, "lamplighter-sidecar"))

	values := "lamplighter-sidecar:" + strings.ReplaceAll(onAVolume, "\n", "\n  ") + "\n  image: {tag: 1.0.0-rc.1}\n"
	o := render(t, app, values)
	if o.Deployment == nil || o.ConfigMap == nil || o.PersistentVolumeClaim == nil || o.Role != nil {
		t.Fatalf("something is missing, or too much: %+v", o)
	}
	d := o.Deployment.Spec
	if d.Strategy.Type != appsv1.RecreateDeploymentStrategyType || len(d.Template.Spec.Containers) != 1 {
		t.Errorf("it is rolled out as %v, with %+v", d.Strategy, d.Template.Spec.Containers)
	}
	pod := d.Template.Spec
	checkContainer(t, &pod, pod.InitContainers)
	if policy := pod.InitContainers[0].RestartPolicy; policy == nil || *policy != corev1.ContainerRestartPolicyAlways {
		t.Error("the sidecar is no native one: the application would wait for its end")
	}
	if got := files(&pod, &pod.InitContainers[0]); !slices.Contains(got, "/data: "+o.PersistentVolumeClaim.Name) || !slices.Contains(got, "/etc/caddy: "+o.ConfigMap.Name) {
		t.Errorf("mounted are %q", got)
	}
	shared := render(t, app, "lamplighter-sidecar:"+strings.ReplaceAll(strings.Replace(inSecrets, "replicas: 3", "", 1), "\n", "\n  "))
	if group := shared.Deployment.Spec.Template.Spec.SecurityContext; group.FSGroup != nil {
		t.Errorf("the sidecar changes the application's pod: %+v", group)
	}
	if shared.Role == nil || shared.RoleBinding.Subjects[0].Name != "erp" || shared.Deployment.Spec.Strategy.RollingUpdate == nil {
		t.Errorf("a sidecar with a shared store is %+v", shared)
	}
}

// checkContainer checks the only container of a list: its image, what it may do, and that
// its life depends on no token.
func checkContainer(t *testing.T, pod *corev1.PodSpec, containers []corev1.Container) {
	t.Helper()
	if len(containers) != 1 {
		t.Fatalf("there are %d containers", len(containers))
	}
	c := containers[0]
	if !strings.HasSuffix(c.Image, "/lamplighter:1.0.0-rc.1") {
		t.Errorf("the image is %s", c.Image)
	}
	may, group := c.SecurityContext, pod.SecurityContext
	if !*may.RunAsNonRoot || *may.RunAsUser == 0 || !*may.ReadOnlyRootFilesystem || *may.AllowPrivilegeEscalation ||
		!slices.Equal(may.Capabilities.Drop, []corev1.Capability{"ALL"}) || may.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
		group.FSGroup != nil && *group.FSGroup != *may.RunAsGroup || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("the container may do more than it needs, or not enough: %+v", may)
	}
	for _, probe := range []struct {
		*corev1.Probe
		asks string
	}{{c.StartupProbe, "--live"}, {c.LivenessProbe, "--live"}, {c.ReadinessProbe, "--ready"}} {
		if probe.Probe == nil || !slices.Equal(probe.Exec.Command, []string{"/usr/bin/lamplighter", "tokens", "health", probe.asks}) {
			t.Errorf("the probe that should ask %s is %+v", probe.asks, probe.Probe)
		}
	}
}

// files are where what is mounted in a container, in order. Secrets are read-only, and
// only their group reads them if they have one.
func files(pod *corev1.PodSpec, c *corev1.Container) (list []string) {
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		switch v := pod.Volumes[i]; {
		case v.ConfigMap != nil && m.ReadOnly:
			list = append(list, m.MountPath+": "+v.ConfigMap.Name)
		case v.Projected != nil && m.ReadOnly && (*v.Projected.DefaultMode&0o007 == 0) == (pod.SecurityContext.FSGroup != nil):
			for _, s := range v.Projected.Sources {
				for _, item := range s.Secret.Items {
					list = append(list, m.MountPath+"/"+item.Path+": "+s.Secret.Name+" "+item.Key)
				}
			}
		case v.PersistentVolumeClaim != nil && !m.ReadOnly:
			list = append(list, m.MountPath+": "+v.PersistentVolumeClaim.ClaimName)
		default:
			list = append(list, m.MountPath+": nothing that lasts")
		}
	}
	slices.Sort(list)
	return list
}

// checkCaddyfile has the binary of the release read what the pod is given.
func checkCaddyfile(t *testing.T, config *corev1.ConfigMap) {
	t.Helper()
	in := t.TempDir()
	output(t, in, "tar", "-xzf", file(t, made(t, first), "*.tar.gz"), "--strip-components=1")
	rig.Write(t, in, "Caddyfile", config.Data["Caddyfile"])
	output(t, in, "./lamplighter", "adapt", "--config", "Caddyfile")
	formatted := output(t, in, "./lamplighter", "fmt", "Caddyfile")
	if strings.TrimSpace(formatted) != strings.TrimSpace(config.Data["Caddyfile"]) {
		t.Errorf("the pod's Caddyfile is not formatted; want:\n%s", formatted)
	}
}
