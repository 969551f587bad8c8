package packages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// builder is buildah, in a storage that ends with the test.
type builder struct {
	t   *testing.T
	env []string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	rig.Need(t, "buildah", "install Debian's package buildah")
	if os.Geteuid() != 0 {
		rig.Skip(t, "an image is mounted by root")
	}
	to := t.TempDir()
	config := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(to, "graph"), filepath.Join(to, "run"))
	storage := filepath.Join(to, "storage.conf")
	if err := os.WriteFile(storage, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return &builder{t, append(os.Environ(), "BUILDAH_ISOLATION=chroot", "MAKEFLAGS=", "CONTAINERS_STORAGE_CONF="+storage)}
}

func (b *builder) run(name string, args ...string) string {
	b.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = root, b.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%s: %v\n%s", cmd, err, &errs)
	}
	return strings.TrimSpace(out.String())
}

// config is what an image says of itself.
type config struct {
	User, WorkingDir     string
	Env, Entrypoint, Cmd []string
	Labels               map[string]string
}

// inspect returns what an image says, and the directory where its files are.
func (b *builder) inspect(image string) (config, string) {
	b.t.Helper()
	var inspected struct {
		OCIv1 struct{ Config config }
	}
	if err := json.Unmarshal([]byte(b.run("buildah", "inspect", "--type", "image", image)), &inspected); err != nil {
		b.t.Fatal(err)
	}
	working := b.run("buildah", "from", "--pull-never", image)
	b.t.Cleanup(func() { b.run("buildah", "umount", working) })
	return inspected.OCIv1.Config, b.run("buildah", "mount", working)
}

// blob reads a document of an image's archive by its digest.
func blob(t *testing.T, archive, digest string, into any) {
	t.Helper()
	name := digest
	if algorithm, sum, found := strings.Cut(digest, ":"); found {
		name = "blobs/" + algorithm + "/" + sum
	}
	if err := json.Unmarshal([]byte(output(t, ".", "tar", "-xOf", archive, name)), into); err != nil {
		t.Fatal(err)
	}
}

// index is a list of images, or of lists.
type index struct {
	Manifests []struct {
		Digest      string
		Platform    struct{ OS, Architecture string }
		Annotations map[string]string
	}
}

// TestImageOfAReleaseIsTheOneThatMakeImageBuilds reads the archive with containers' own
// tools, which choose the image of their platform.
func TestImageOfAReleaseIsTheOneThatMakeImageBuilds(t *testing.T) {
	b := newBuilder(t)
	archive := file(t, made(t, first), "*_oci.tar")
	b.run("make", "image", "IMAGE=localhost/lamplighter:made", "VERSION="+before)
	want, wantRoot := b.inspect("localhost/lamplighter:made")
	got, gotRoot := b.inspect(b.run("buildah", "pull", "oci-archive:"+archive+":1.0.0-rc.1"))
	for _, c := range []*config{&got, &want} {
		delete(c.Labels, "io.buildah.version")
		slices.Sort(c.Env)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the release's image says\n%+v\nand make image\n%+v", got, want)
	}
	if got, want := rig.Layout(t, gotRoot), rig.Layout(t, wantRoot); !slices.Equal(got, want) {
		t.Errorf("the release's image holds\n%s\nand make image's\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if version := output(t, gotRoot, "chroot", gotRoot, "/usr/bin/caddy", "version"); !strings.HasPrefix(version, before) {
		t.Errorf("the image runs %q", version)
	}
}

// TestImageOfAReleaseTellsItsPlatformsAndItsHealth reads what buildah does not show.
func TestImageOfAReleaseTellsItsPlatformsAndItsHealth(t *testing.T) {
	archive := file(t, made(t, first), "*_oci.tar")
	var top, platforms index
	blob(t, archive, "index.json", &top)
	if len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1.0.0-rc.1" {
		t.Fatalf("the archive holds %+v", top)
	}
	blob(t, archive, top.Manifests[0].Digest, &platforms)
	if len(platforms.Manifests) != 1 || platforms.Manifests[0].Platform.OS != "linux" || platforms.Manifests[0].Platform.Architecture != runtime.GOARCH {
		t.Fatalf("the platforms are %+v", platforms)
	}
	var manifest struct{ Config struct{ Digest string } }
	blob(t, archive, platforms.Manifests[0].Digest, &manifest)
	var image struct {
		Config struct {
			Healthcheck struct{ Test []string }
		}
	}
	blob(t, archive, manifest.Config.Digest, &image)
	if got := strings.Join(image.Config.Healthcheck.Test, " "); got != "CMD /usr/bin/lamplighter tokens health --live" {
		t.Errorf("the health check is %q", got)
	}
}
