package test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

func TestASecondInstanceOnAPortIsRefusedAndSaysWhoHasIt(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	before := o.stats()
	other := rig.Home(t)
	config := filepath.Join(o.home, "Caddyfile")
	_, stderr, code := rig.Command(t, other, "run", "--config", config)
	for _, words := range []string{o.address + ": the address is in use by process ", "(lamplighter", "LAMPLIGHTER_SHARE_PORTS=1"} {
		if code != 1 || !strings.Contains(stderr, words) {
			t.Errorf("%d: no %q in %s", code, words, stderr)
		}
	}
	if after := o.stats(); after.TokenRequests != before.TokenRequests {
		t.Errorf("the second instance asked for tokens: %+v, before %+v", after, before)
	}
	if got := rig.Get(t, o.address, "/"); got.Status != 200 {
		t.Errorf("the first one: %v", got)
	}

	// What it has it takes over itself.
	if _, stderr, code := rig.Command(t, o.home, "reload", "--force", "--config", config); code != 0 {
		t.Errorf("reload: %d %s", code, stderr)
	}
	if got := rig.Get(t, o.address, "/"); got.Status != 200 {
		t.Errorf("after a reload: %v", got)
	}

	sharing := rig.StartBinary(t, rig.Binary, other, append(rig.Environment(other), "LAMPLIGHTER_SHARE_PORTS=1"), "run", "--config", config)
	sharing.Printed(`"(serving) initial configuration"`)
}

func TestAFollowerWithOtherPortsHasASocketOfItsOwn(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	address := rig.FreeAddress(t)
	rig.Write(t, o.home, "second", o.caddyfile(address))
	second := rig.Start(t, o.home, "run", "--config", filepath.Join(o.home, "second"), "--adapter", "caddyfile")
	second.Printed(`so this one has (\S+admin-2.sock)`)
	rig.Eventually(t, "it serves", func() bool { return rig.Serves(address) && rig.Get(t, address, "/").Status == 200 })
	for _, socket := range []string{"admin.sock", "admin-2.sock"} {
		if _, stderr, code := rig.Command(t, o.home, "tokens", "health", "--address", "unix/"+filepath.Join(o.home, "data", "lamplighter", socket)); code != 0 {
			t.Errorf("%s: %d %s", socket, code, stderr)
		}
	}
	if stats := o.stats(); stats.Spent != 0 {
		t.Errorf("%+v", stats)
	}
}

// What an export holds is what docs/install.md says.
func TestStorageIsExportedWhileAnInstanceRuns(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	export := filepath.Join(o.home, "export.tar")
	if _, stderr, code := rig.Command(t, o.home, "storage", "export", "--config", "Caddyfile", "--output", export); code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	f, err := os.Open(export)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	record := ""
	for files := tar.NewReader(f); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(header.Name, ".sock") {
			t.Errorf("it holds a socket: %s", header.Name)
		}
		if header.Name == "oauth2_client/demo.json" {
			text, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			record = string(text)
		}
	}
	if !strings.Contains(record, `"refresh_token"`) {
		t.Errorf("it holds no record with a refresh token, of which the page warns: %s", record)
	}
}

// mostBytes is how large the binary may be. Raise it with a reason: 68, since map, intercept
// and others of Caddy's modules are there (0.1 MB), what hands tokens out to proxies and
// programs, proofs of possession, the doctor and the status page (0.8 MB).
const mostBytes = 68_000_000

func TestTheBinaryStaysWithinItsSize(t *testing.T) {
	if os.Getenv("LAMPLIGHTER_BINARY") == "" {
		rig.Skip(t, "the binary is not that of 'make build'")
	}
	info, err := os.Stat(rig.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > mostBytes {
		t.Errorf("it has %d bytes, and may have %d", info.Size(), mostBytes)
	}
}
