package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"lamplighter/test/internal/rig"
)

// imageTools builds images, in a storage that ends with the test.
type imageTools struct {
	t   *testing.T
	dir string
	env []string
}

// newImageTools skips the test where no image can be built without a registry:
// the builder is borrowed from this machine, for which it must be Linux with
// /bin in /usr, and the test root.
func newImageTools(t *testing.T) *imageTools {
	t.Helper()
	rig.Need(t, "buildah", "install Debian's package buildah")
	if os.Geteuid() != 0 {
		rig.Skip(t, "building an image without a registry needs root: its builder borrows this machine's /usr")
	}
	if to, err := os.Readlink("/bin"); err != nil || strings.TrimPrefix(to, "/") != "usr/bin" {
		rig.Skip(t, "/bin is not in /usr here, so its tools cannot be lent to a builder")
	}
	dir := t.TempDir()
	goEnv := func(name string) string {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	rig.Write(t, dir, "storage.conf", fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "graph"), filepath.Join(dir, "run")))
	rig.Write(t, dir, "containers.conf", fmt.Sprintf("[containers]\nvolumes = [\"/usr:/usr:ro\", %q, %q, %q]\n",
		goEnv("GOROOT")+":/goroot:ro", goEnv("GOMODCACHE")+":/gomod", goEnv("GOCACHE")+":/gocache"))
	return &imageTools{t, dir, append(os.Environ(), "BUILDAH_ISOLATION=chroot", "MAKEFLAGS=",
		"CONTAINERS_STORAGE_CONF="+filepath.Join(dir, "storage.conf"), "CONTAINERS_CONF="+filepath.Join(dir, "containers.conf"))}
}

func (i *imageTools) run(dir, name string, args ...string) string {
	i.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, i.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		i.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &out, &errs)
	}
	return strings.TrimSpace(out.String())
}

// builder makes an image with this machine's Go toolchain, shell and module cache:
// all are mounted, so it holds hardly anything.
func (i *imageTools) builder() string {
	i.t.Helper()
	i.run("..", "go", "mod", "download")
	root := filepath.Join(i.dir, "builder", "root")
	for _, dir := range []string{"usr", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			i.t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+dir, filepath.Join(root, dir)); err != nil {
			i.t.Fatal(err)
		}
	}
	rig.Write(i.t, filepath.Dir(root), "Containerfile", `FROM scratch
COPY root/ /
ENV PATH=/goroot/bin:/usr/bin GOTOOLCHAIN=local GOMODCACHE=/gomod GOCACHE=/gocache GOPROXY=file:///gomod/cache/download GOSUMDB=off
`)
	i.run(filepath.Dir(root), "buildah", "build", "-t", "localhost/builder", ".")
	return "localhost/builder"
}

// imageConfig is what the image says about itself.
type imageConfig struct {
	User, WorkingDir     string
	Env, Entrypoint, Cmd []string
	Labels               map[string]string
	Healthcheck          struct {
		Test                           []string
		Interval, Timeout, StartPeriod int64
		Retries                        int
	}
}

// container is the image's file system, and what runs in it.
type container struct {
	*imageTools
	imageConfig
	runtime, root, name string
}

// oci is a bundle's configuration (opencontainers.org): what `docker run
// --read-only --cap-drop ALL --security-opt no-new-privileges` makes of the image,
// in the network of this machine, where the test's servers are.
func (c *container) oci(args []string, mounts map[string]string) []byte {
	c.t.Helper()
	type object map[string]any
	list := []object{
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}},
	}
	for to, from := range mounts {
		options := []string{"bind", "ro"}
		if to == "/data" {
			options = []string{"bind", "rw"}
		}
		list = append(list, object{"destination": to, "type": "bind", "source": from, "options": options})
	}
	var uid, gid int
	if _, err := fmt.Sscanf(c.User, "%d:%d", &uid, &gid); err != nil || uid == 0 || gid == 0 {
		c.t.Fatalf("the image runs as %q: a number other than 0 is what Kubernetes can check", c.User)
	}
	config, err := json.Marshal(object{
		"ociVersion": "1.0.2",
		"process": object{
			"user": object{"uid": uid, "gid": gid}, "args": args, "env": c.Env, "cwd": c.WorkingDir,
			"noNewPrivileges": true, "capabilities": object{},
		},
		"root":   object{"path": c.root, "readonly": true},
		"mounts": list,
		"linux":  object{"namespaces": []object{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return config
}

// command is one of the container runtime's.
func (c *container) command(args ...string) *exec.Cmd {
	return exec.Command(c.runtime, append([]string{"--root", filepath.Join(c.dir, "state")}, args...)...)
}

// start runs the image's own command, or another one, until the test ends.
func (c *container) start(mounts map[string]string, args ...string) *rig.Process {
	c.t.Helper()
	if len(args) == 0 {
		args = slices.Concat(c.Entrypoint, c.Cmd)
	}
	bundle, err := os.MkdirTemp(c.dir, "bundle-")
	if err != nil {
		c.t.Fatal(err)
	}
	rig.Write(c.t, bundle, "config.json", string(c.oci(args, mounts)))
	c.name = filepath.Base(bundle)
	run := c.command("run", "--bundle", bundle, c.name)
	p := rig.StartBinary(c.t, run.Path, c.dir, c.env, run.Args[1:]...)
	end := c.command("delete", "--force", c.name)
	c.t.Cleanup(func() { _ = end.Run() }) // it is gone, if it has ended
	return p
}

// findRuntime returns one that works here: they differ in the cgroups that they
// know.
func (c *container) findRuntime() {
	c.t.Helper()
	var reasons []string
	for _, name := range []string{"runc", "crun"} {
		path, err := exec.LookPath(name)
		if err != nil {
			reasons = append(reasons, "there is no "+name)
			continue
		}
		c.runtime = path
		p := c.start(nil, "/usr/bin/lamplighter", "version")
		rig.Eventually(c.t, "the runtime ends", p.Ended)
		if p.Err == nil {
			return
		}
		reasons = append(reasons, fmt.Sprintf("%s says %q", name, strings.TrimSpace(p.Output.String())))
	}
	rig.Skip(c.t, "the image was built, and cannot be run here: %s; install Debian's package runc", strings.Join(reasons, ", "))
}

// container makes one of an image, which is not running yet.
func (i *imageTools) container(image string) *container {
	i.t.Helper()
	var inspected struct{ Docker struct{ Config imageConfig } }
	if err := json.Unmarshal([]byte(i.run(".", "buildah", "inspect", "--type", "image", image)), &inspected); err != nil {
		i.t.Fatal(err)
	}
	working := i.run(".", "buildah", "from", "--pull-never", image)
	i.t.Cleanup(func() { i.run(".", "buildah", "umount", working) })
	return &container{imageTools: i, imageConfig: inspected.Docker.Config, root: i.run(".", "buildah", "mount", working)}
}

// TestImageRunsAsNobodyWithAReadOnlyRoot builds the image as `docker build .` does and
// with `make image`, which are the same, and runs it as the documentation says.
func TestImageRunsAsNobodyWithAReadOnlyRoot(t *testing.T) {
	tools := newImageTools(t)
	tools.run("..", "make", "image", "IMAGE=localhost/lamplighter:made", "VERSION=v0.0.0-test")
	tools.run("..", "buildah", "build", "--format", "docker", "--build-arg", "BUILDER="+tools.builder(),
		"--build-arg", "VERSION=v0.0.0-test", "-t", "localhost/lamplighter:test", ".")
	c, made := tools.container("localhost/lamplighter:test"), tools.container("localhost/lamplighter:made")
	if want, got := rig.Layout(t, c.root), rig.Layout(t, made.root); !slices.Equal(got, want) {
		t.Errorf("make image builds\n%s\nand the Dockerfile\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !reflect.DeepEqual(made.imageConfig, c.imageConfig) {
		t.Errorf("make image says\n%+v\nand the Dockerfile\n%+v", made.imageConfig, c.imageConfig)
	}
	c.checkFiles()
	c.findRuntime()

	servers, address, dir := startDemoServers(t, "1h"), rig.FreeAddress(t), rig.Home(t)
	mounts := c.supply(servers, dir, address)
	p := c.start(mounts)
	rig.Eventually(t, "the sidecar answers", func() bool { return rig.Serves(address) && rig.Get(t, address, "/").Status == 200 })
	c.checkConfined(p)
	if slices.Equal(c.Healthcheck.Test, nil) || c.Healthcheck.Test[0] != "CMD" {
		t.Fatalf("the health check %q needs a shell, or is none", c.Healthcheck.Test)
	}
	for _, args := range [][]string{c.Healthcheck.Test[1:], {"/usr/bin/lamplighter", "tokens", "health", "--ready"}, {"/usr/bin/caddy", "tokens", "list"}} {
		if out, err := c.command(append([]string{"exec", c.name}, args...)...).CombinedOutput(); err != nil {
			t.Errorf("%v in the container: %v\n%s", args, err, out)
		}
	}
	checkOwned(t, filepath.Join(dir, "volume"))

	if out, err := c.command("kill", c.name, "TERM").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rig.Eventually(t, "the container ends", p.Ended)
	if p.Err != nil {
		t.Errorf("it ended with %v", p.Err)
	}
	c.start(mounts)
	rig.Eventually(t, "the next container answers", func() bool { return rig.Serves(address) && rig.Get(t, address, "/").Status == 200 })
	if stats := servers.stats(); stats.TokenRequests != 1 {
		t.Errorf("%d token requests: the volume does not keep the grant", stats.TokenRequests)
	}
}

// checkFiles checks what the image holds: one rig.Binary, under two names.
func (c *container) checkFiles() {
	c.t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(c.root), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || !slices.Equal(files, []string{"usr/bin/caddy", "usr/bin/lamplighter"}) {
		c.t.Errorf("the image holds %v (%v)", files, err)
	}
	// A named volume begins with the mode and the owner of what it covers.
	data, err := os.Stat(filepath.Join(c.root, "data"))
	if err != nil {
		c.t.Fatal(err)
	}
	if owner := data.Sys().(*syscall.Stat_t); owner.Uid != 65532 || owner.Gid != 65532 || data.Mode().Perm() != 0o700 {
		c.t.Errorf("/data is %v of %d:%d", data.Mode(), owner.Uid, owner.Gid)
	}
}

// supply prepares what an operator mounts: secrets that the image's user can
// read, and an empty volume.
func (c *container) supply(servers *demoServers, dir, address string) map[string]string {
	c.t.Helper()
	secrets, volume := filepath.Join(dir, "secrets"), filepath.Join(dir, "volume")
	for _, path := range []string{secrets, volume} {
		if err := os.Mkdir(path, 0o700); err != nil {
			c.t.Fatal(err)
		}
	}
	caddyfile := servers.caddyfile(address)
	for name, from := range map[string]string{"client_secret": servers.ClientSecretFile, "refresh_token": servers.RefreshTokenFile} {
		text, err := os.ReadFile(from)
		if err != nil {
			c.t.Fatal(err)
		}
		rig.Write(c.t, secrets, name, string(text))
		caddyfile = strings.Replace(caddyfile, from, "/run/secrets/"+name, 1)
	}
	config := rig.Write(c.t, dir, "Caddyfile", caddyfile)
	for _, path := range []string{config, secrets, volume, filepath.Join(secrets, "client_secret"), filepath.Join(secrets, "refresh_token")} {
		if err := os.Chown(path, 65532, 65532); err != nil {
			c.t.Fatal(err)
		}
	}
	return map[string]string{"/data": volume, "/run/secrets": secrets, "/etc/caddy/Caddyfile": config}
}

// checkConfined looks at the process from outside.
func (c *container) checkConfined(p *rig.Process) {
	c.t.Helper()
	out, err := c.command("state", c.name).Output()
	var state struct{ Pid int }
	if err == nil {
		err = json.Unmarshal(out, &state)
	}
	if err != nil {
		c.t.Fatalf("%v: %s\n%s", err, out, p.Output)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", state.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, want := range []string{`Uid:\t65532\t65532\t65532\t65532`, `Gid:\t65532\t65532\t65532\t65532`, `CapEff:\t0+`, `CapBnd:\t0+`, `NoNewPrivs:\t1`} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).Match(status) {
			c.t.Errorf("the process is not confined: no %s in\n%s", want, status)
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", state.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^\d+ \d+ \S+ \S+ / ro[, ]`).Match(mounts) {
		c.t.Errorf("the root is not read-only:\n%s", mounts)
	}
}

// checkOwned checks that all in a volume is the image's user's, and nobody else
// may read it.
func checkOwned(t *testing.T, volume string) {
	t.Helper()
	records := 0
	err := filepath.WalkDir(volume, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if filepath.Base(filepath.Dir(path)) == "oauth2_client" {
			records++
		}
		return nil
	})
	if err != nil || records == 0 {
		t.Errorf("%d files of the record in the volume: %v", records, err)
	}
}
