package test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// block is a block of commands in a page.
type block struct {
	page string
	line int
	text string
	why  string // it does not run here, "" if it does
}

// noTest marks a block that does not run here, in the line before it.
var noTest = regexp.MustCompile(`<!-- no-test: (.+) -->\n\s*$`)

// commandBlocks finds the blocks of the pages, in their order.
func commandBlocks(t *testing.T) (blocks []block) {
	t.Helper()
	root, err := rig.Repository()
	if err != nil {
		t.Fatal(err)
	}
	pages := []string{"README.md"}
	for _, pattern := range []string{"*.md", "docs/*.md", "charts/*/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range found {
			if name, _ := filepath.Rel(root, page); !slices.Contains(pages, name) {
				pages = append(pages, name)
			}
		}
	}
	fence := regexp.MustCompile("(?ms)^( *)```(?:sh|bash|shell|console)\\b([^\n]*)\n(.*?)^ *```$")
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range fence.FindAllSubmatchIndex(text, -1) {
			b := block{page: page, line: bytes.Count(text[:at[0]], []byte("\n")) + 1}
			if more := string(text[at[4]:at[5]]); more != "" {
				t.Errorf("%s:%d: the fence says %q, and would hide the block: what does not run is marked in the line before", page, b.line, more)
			}
			indent := string(text[at[2]:at[3]])
			for line := range strings.Lines(string(text[at[6]:at[7]])) {
				b.text += strings.TrimPrefix(line, indent)
			}
			if marked := noTest.FindSubmatch(text[:at[0]]); marked != nil {
				b.why = string(marked[1])
			}
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// standIns are programs of others, and what of ours needs a person or runs for ever. What
// they are told to execute somewhere else is executed here, as root or not.
var standIns = map[string]string{
	"sudo":          `exec "$@"`,
	"sudoedit":      `test -f "$1"`,
	"chown":         `exit 0`,
	"systemctl":     `exit 0`,
	"systemd-creds": `test "$1" = encrypt`,
	"systemd-run":   `while [ "$1" != lamplighter ]; do shift; done; install -D -m 0644 Caddyfile "$HOME/etc/lamplighter/Caddyfile"; exec "$@"`,
	"helm":          `exit 0`,
	"make":          `while [ $# -gt 0 ]; do case "$1" in *=*) ;; *) grep -q "^$1:" "$REPOSITORY/Makefile" || exit 1;; esac; shift; done`,
	"docker": `case "$1" in
compose) shift; [ "$1" = exec ] || exit 0; shift 2; exec "$@";;
exec) shift; while case "$1" in -*) true;; *) false;; esac; do shift; done; shift; exec "$@";;
esac; exit 0`,
	"kubectl": `[ "$1" = apply ] && exec cat; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`,
	// The first lines of the demo, at addresses that are free.
	"begin": `timeout -s INT 5 "$BINARY" "$@" --dir "$HOME/demo" --listen "$FREE1" --authorization-server "$FREE2" --api "$FREE3" | tee "$HOME/demo.out"
grep -q "Try, in another terminal" "$HOME/demo.out"`,
	"go": `[ "$1 $2 $3" = "run ./cmd/lamplighter demo" ] || exit 1
shift 2; exec begin "$@"`,
	// An error that is answered is one of the block.
	"curl": `exec /usr/bin/curl --fail "$@"`,
	// The group is the package's.
	"install": `n=$#; while [ $n -gt 0 ]; do
case "$1" in -g) shift 2; n=$((n-2));; *) set -- "$@" "$1"; shift; n=$((n-1));; esac
done; exec /usr/bin/install "$@"`,
	// An instance runs already, and nobody is there to log in.
	"lamplighter": `case "$1 $2" in "run "*) exit 0;; "demo "*) exec begin "$@";; "tokens login") exec "$BINARY" "$@" --help;; esac; exec "$BINARY" "$@"`,
}

// TestCommandsInThePagesRun runs every block of commands: as an operator who has a client
// called erp, whose instance runs, and who is in a directory with its Caddyfile. Those of
// one page follow each other.
func TestCommandsInThePagesRun(t *testing.T) {
	blocks := commandBlocks(t)
	marked, pages := 0, []string{}
	for _, b := range blocks {
		if b.why != "" {
			marked++
		}
		if !slices.Contains(pages, b.page) {
			pages = append(pages, b.page)
		}
	}
	t.Logf("%d blocks, %d of them marked", len(blocks), marked)
	if len(blocks) < 30 || marked*4 > len(blocks) {
		t.Errorf("of %d blocks %d are marked no-test: more than a quarter says nothing of what works", len(blocks), marked)
	}
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			var o *operator
			for _, b := range blocks {
				if b.page != page || b.why != "" {
					continue
				}
				if o == nil {
					o = newOperator(t)
				}
				o.runs(b)
			}
		})
	}
}

// operator is somebody who reads a page, and does what it says.
type operator struct {
	*operated
	work    string // where
	sockets string // where those are that it listens on
	env     []string
	vars    string // what earlier blocks have set
}

// caddyfile declares the client once, as the pages have it, and serves its token.
func (o *operator) caddyfile(of string) string {
	before, client, _ := strings.Cut(of, "\t\tclient demo {\n")
	client, after, _ := strings.Cut(client, "\t\t}\n")
	global := "\toauth2_client erp {\n" + strings.ReplaceAll(client, "\t\t\t", "\t\t") + "\t\tallow_print\n\t}\n}\n"
	served := "\nhttp:// {\n\tbind unix/" + o.sockets + "/token.sock|0660\n\tserve_token /erp* erp\n}\n"
	return strings.Replace(before, "}\n", global+served, 1) + "\t\tclient erp\n" + after
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{sockets: rig.Home(t)}
	o.operated = operate(t, o.caddyfile)
	o.work = filepath.Join(o.home, "work")
	root, err := rig.Repository()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(o.home, "bin")
	for _, dir := range []string{bin, filepath.Join(o.home, "usr", "bin"), filepath.Join(o.home, "etc", "systemd", "system"), filepath.Join(o.home, "etc", "lamplighter", "secrets")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range standIns {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(o.work, "examples"), os.DirFS(filepath.Join(root, "examples"))); err != nil {
		t.Fatal(err)
	}
	o.release(root, bin)
	o.env = append(rig.Environment(o.home), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+o.home, "BINARY="+rig.Binary, "REPOSITORY="+root,
		"FREE1="+rig.FreeAddress(t), "FREE2="+rig.FreeAddress(t), "FREE3="+rig.FreeAddress(t), "CLIENT_SECRET=s3cret", "REFRESH_TOKEN=seed")
	return o
}

// release puts what an operator has downloaded, or built, into the directory.
func (o *operator) release(root, bin string) {
	o.t.Helper()
	copied := func(from, to string) {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(o.work, to)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(o.work, to), text, 0o700)
		}
		if err != nil {
			o.t.Fatal(err)
		}
	}
	copied(filepath.Join(o.home, "Caddyfile"), "Caddyfile")
	copied(filepath.Join(o.home, "Caddyfile"), "../etc/lamplighter/Caddyfile")
	copied(o.ClientSecretFile, "eiam_client_secret")
	copied(o.RefreshTokenFile, "eiam_refresh_token")
	copied(filepath.Join(root, "examples", "systemd", "lamplighter.service"), "lamplighter.service")
	copied(filepath.Join(bin, "lamplighter"), "lamplighter")
	const name = "lamplighter_1.0.0-rc.1_linux_amd64"
	copied(filepath.Join(bin, "lamplighter"), name+"/lamplighter")
	for _, made := range []string{"completions/lamplighter.bash", "man/lamplighter.8"} {
		copied(filepath.Join(root, "LICENSE"), name+"/"+made)
	}
	cmd := exec.Command("sh", "-c", "tar -czf "+name+".tar.gz "+name+" && sha256sum "+name+".tar.gz >SHA256SUMS")
	cmd.Dir = o.work
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("%v: %s", err, out)
	}
}

// runs runs a block, and fails if one of its commands does.
func (o *operator) runs(b block) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	vars := filepath.Join(o.home, "vars")
	script := o.vars + "\nset -euo pipefail\n" + o.placed(b.text) + "\nset +eu\ndeclare -p records client seed socket 2>/dev/null >" + vars + "\ntrue\n"
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = o.work, o.env
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Errorf("%s:%d: %v\n%s\n%s", b.page, b.line, err, b.text, out)
		return
	}
	if set, err := os.ReadFile(vars); err == nil {
		o.vars = string(set)
	}
}

// placed puts the places and names of the operator into the text of a block.
func (o *operator) placed(text string) string {
	_, token := o.login()
	secret := rig.Write(o.t, o.home, "new_refresh_token", token+"\n")
	rig.Write(o.t, o.work, "new.txt", token+"\n")
	return strings.NewReplacer(
		"/run/secrets/new_refresh_token", secret,
		"/var/lib/old-script/refresh_token", secret,
		"/usr/local/", filepath.Join(o.home, "usr")+"/",
		"/run/secrets/eiam_refresh_token", o.RefreshTokenFile,
		"<client>", "erp",
		"http://127.0.0.1:8080", "http://"+o.address,
		"/run/lamplighter/", o.sockets+"/",
		"https://erp.example.com", o.API,
		"/etc/", filepath.Join(o.home, "etc")+"/",
	).Replace(text)
}

// TestAMarkedBlockSaysWhyAndWhere: a reason is more than a word.
func TestAMarkedBlockSaysWhyAndWhere(t *testing.T) {
	for _, b := range commandBlocks(t) {
		if b.why != "" && len(strings.Fields(b.why)) < 3 {
			t.Errorf("%s:%d: the reason is %q", b.page, b.line, b.why)
		}
	}
}
