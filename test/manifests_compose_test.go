package test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads the example as `docker compose` does, which checks it against
// the specification's schema and its rules.
func compose(t *testing.T, environment types.Mapping) (*types.Project, error) {
	t.Helper()
	dir, err := filepath.Abs("../examples/compose")
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}},
		Environment: environment,
	}, loader.WithDiscardEnvFiles, func(o *loader.Options) { o.SetProjectName("example", true) })
}

func TestComposeFileRunsAConfinedSidecarBesideTheApplication(t *testing.T) {
	project, err := compose(t, types.Mapping{"EIAM_CLIENT_ID": "erp"})
	if err != nil {
		t.Fatal(err)
	}
	app, sidecar := project.Services["app"], project.Services["lamplighter"]
	if app.NetworkMode != "service:lamplighter" {
		t.Errorf("the application's network is %q: 127.0.0.1 is not the sidecar's", app.NetworkMode)
	}
	if app.DependsOn["lamplighter"].Condition != types.ServiceConditionHealthy {
		t.Error("the application does not wait for the sidecar")
	}
	if !sidecar.ReadOnly || !slices.Equal(sidecar.CapDrop, []string{"ALL"}) || !slices.Contains(sidecar.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("the sidecar may do more than it needs: %+v", sidecar)
	}
	if sidecar.Deploy != nil || sidecar.Scale != nil {
		t.Error("there may be two sidecars with one grant")
	}
	checkImage(t, app.Image)
	checkImage(t, sidecar.Image)

	var files, volumes []string
	for _, v := range sidecar.Volumes {
		if v.Type == types.VolumeTypeVolume {
			volumes = append(volumes, v.Target)
			continue
		}
		files = append(files, v.Target)
		if !v.ReadOnly {
			t.Errorf("the sidecar may write %s", v.Target)
		}
	}
	if !slices.Equal(volumes, []string{"/data"}) || !slices.Equal(files, []string{"/etc/caddy/Caddyfile"}) {
		t.Errorf("the sidecar has the volumes %v and the files %v", volumes, files)
	}
	for _, s := range sidecar.Secrets {
		if project.Secrets[s.Source].File == "" {
			t.Errorf("the secret %s is in no file", s.Source)
		}
		files = append(files, "/run/secrets/"+s.Source)
	}
	var variables []string
	for name := range sidecar.Environment {
		variables = append(variables, name)
	}
	caddyfile := shown(t, "compose", "Caddyfile")
	checkSupplied(t, caddyfile, files, variables)
	if sidecar.StopGracePeriod == nil {
		t.Fatal("the sidecar is killed after ten seconds")
	}
	checkStopTime(t, caddyfile, time.Duration(*sidecar.StopGracePeriod))
}

func TestComposeFileAsksForWhatIsMissing(t *testing.T) {
	if _, err := compose(t, nil); err == nil {
		t.Error("it loads without a client_id")
	}
}
