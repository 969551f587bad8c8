package test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads an example as `docker compose` does, which checks it against
// the specification's schema and its rules.
func compose(t *testing.T, name string, environment types.Mapping) (*types.Project, error) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../examples", name))
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
	project, err := compose(t, "compose", types.Mapping{"EIAM_CLIENT_ID": "erp"})
	if err != nil {
		t.Fatal(err)
	}
	app, sidecar := project.Services["app"], project.Services["lamplighter"]
	if app.NetworkMode != "service:lamplighter" {
		t.Errorf("the application's network is %q: 127.0.0.1 is not the sidecar's", app.NetworkMode)
	}
	if sidecar.Deploy != nil || sidecar.Scale != nil {
		t.Error("there may be two sidecars with one grant in a volume")
	}
	checkImage(t, app.Image)
	if volumes := checkComposed(t, project, "compose"); !slices.Equal(volumes, []string{"/data"}) {
		t.Errorf("the sidecar has the volumes %v", volumes)
	}
}

func TestComposeFileWithPostgreSQLRunsReplicasWithoutAVolume(t *testing.T) {
	project, err := compose(t, "compose-postgres", types.Mapping{"EIAM_CLIENT_ID": "erp"})
	if err != nil {
		t.Fatal(err)
	}
	sidecar, server := project.Services["lamplighter"], project.Services["postgres"]
	if sidecar.Deploy == nil || sidecar.Deploy.Replicas == nil || *sidecar.Deploy.Replicas < 2 {
		t.Error("one sidecar alone shares its grant with nobody")
	}
	if volumes := checkComposed(t, project, "compose-postgres"); len(volumes) != 0 {
		t.Errorf("the sidecars have the volumes %v: the grant is elsewhere", volumes)
	}
	if len(sidecar.Tmpfs) != 1 || !strings.HasPrefix(sidecar.Tmpfs[0], "/data:uid=65532,") {
		t.Errorf("the admin socket has no place that the sidecar may write: %v", sidecar.Tmpfs)
	}
	if sidecar.DependsOn["postgres"].Condition != types.ServiceConditionHealthy || server.HealthCheck == nil {
		t.Error("the sidecars do not wait for their store")
	}
	if len(server.Ports) > 0 {
		t.Errorf("the store is published: %v", server.Ports)
	}
	checkImage(t, server.Image)
	if len(server.Volumes) != 1 || server.Volumes[0].Type != types.VolumeTypeVolume {
		t.Errorf("the records end with the container of the store: %v", server.Volumes)
	}
	caddyfile := shown(t, "compose-postgres", "Caddyfile")
	for name, value := range map[string]string{"POSTGRES_DB": "database", "POSTGRES_USER": "user"} {
		if of := server.Environment[name]; of == nil || !strings.Contains(caddyfile, "\t\t"+value+" "+*of+"\n") {
			t.Errorf("the Caddyfile's %s is not the store's", value)
		}
	}
	if of := server.Environment["POSTGRES_PASSWORD_FILE"]; of == nil || !strings.Contains(caddyfile, "password {file."+*of+"}") {
		t.Error("the Caddyfile's password is not the store's")
	}
}

// checkComposed checks what is the same wherever Compose runs the sidecar of an example,
// and returns the volumes that it may write.
func checkComposed(t *testing.T, project *types.Project, example string) (volumes []string) {
	t.Helper()
	sidecar := project.Services["lamplighter"]
	if project.Services["app"].DependsOn["lamplighter"].Condition != types.ServiceConditionHealthy {
		t.Error("the application does not wait for the sidecar")
	}
	if !sidecar.ReadOnly || !slices.Equal(sidecar.CapDrop, []string{"ALL"}) || !slices.Contains(sidecar.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("the sidecar may do more than it needs: %+v", sidecar)
	}
	checkImage(t, sidecar.Image)
	var files []string
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
	if !slices.Equal(files, []string{"/etc/caddy/Caddyfile"}) {
		t.Errorf("the sidecar has the files %v", files)
	}
	for _, s := range sidecar.Secrets {
		if project.Secrets[s.Source].File == "" {
			t.Errorf("the secret %s is in no file", s.Source)
		}
		files = append(files, "/run/secrets/"+s.Source)
	}
	caddyfile := shown(t, example, "Caddyfile")
	checkSupplied(t, caddyfile, files, slices.Collect(maps.Keys(sidecar.Environment)))
	if sidecar.StopGracePeriod == nil {
		t.Fatal("the sidecar is killed after ten seconds")
	}
	checkStopTime(t, caddyfile, time.Duration(*sidecar.StopGracePeriod))
	return volumes
}

func TestComposeFilesAskForWhatIsMissing(t *testing.T) {
	for _, example := range []string{"compose", "compose-postgres"} {
		if _, err := compose(t, example, nil); err == nil {
			t.Errorf("%s loads without a client_id", example)
		}
	}
}
