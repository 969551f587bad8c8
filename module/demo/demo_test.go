package demo

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newTestDemo(t *testing.T) *demo {
	t.Helper()
	return &demo{
		listen:              "127.0.0.1:8080",
		authorizationServer: "127.0.0.1:9801",
		api:                 "127.0.0.1:9802",
		dir:                 directory(filepath.Join(t.TempDir(), "demo")),
		lifetime:            time.Minute,
		out:                 &output{w: io.Discard},
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wants checks that an error says all of the words.
func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("no %q in: %v", word, err)
		}
	}
}

func TestDemoListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:8080", ":8080", "[::]:8080", "192.0.2.1:8080", "example.com:8080"} {
		for flag, set := range map[string]func(*demo){
			"--listen":               func(d *demo) { d.listen = address },
			"--authorization-server": func(d *demo) { d.authorizationServer = address },
			"--api":                  func(d *demo) { d.api = address },
		} {
			d := newTestDemo(t)
			set(d)
			wants(t, d.check(), flag, address, "loopback", "127.0.0.1:8080")
		}
	}
	if err := newTestDemo(t).check(); err != nil {
		t.Error(err)
	}
}

func TestDemoTakesPort0OnlyWithoutASidecar(t *testing.T) {
	d := newTestDemo(t)
	d.api = "127.0.0.1:0"
	wants(t, d.check(), "--api", "--server-only")
	d.serverOnly = true
	if err := d.check(); err != nil {
		t.Error(err)
	}
}

func TestDemoNamesTheFlagOfABusyPort(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for flag, set := range map[string]func(*demo){
		"--listen":               func(d *demo) { d.listen = busy.Addr().String() },
		"--authorization-server": func(d *demo) { d.authorizationServer = busy.Addr().String() },
		"--api":                  func(d *demo) { d.api = busy.Addr().String() },
	} {
		d := newTestDemo(t)
		d.listen, d.authorizationServer, d.api = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		set(d)
		_, err := d.bind()
		wants(t, err, busy.Addr().String(), flag)
	}
}

func TestDemoKeepsWhatAnEarlierOneMade(t *testing.T) {
	d := newTestDemo(t)
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	secret, seed := read(t, d.dir.path(clientSecretName)), read(t, d.dir.path(refreshTokenName))
	if !strings.ContainsAny(secret, "+") || !strings.ContainsAny(secret, "/") || !strings.ContainsAny(secret, "=") {
		t.Errorf("the client secret is harmless: %s", secret)
	}
	edited := "# mine\n" + read(t, d.dir.path(caddyfileName))
	if err := os.WriteFile(d.dir.path(caddyfileName), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	if read(t, d.dir.path(caddyfileName)) != edited {
		t.Error("the user's Caddyfile was overwritten")
	}
	if read(t, d.dir.path(clientSecretName)) != secret || read(t, d.dir.path(refreshTokenName)) != seed {
		t.Error("other secrets")
	}
	for _, name := range []string{clientSecretName, refreshTokenName, caddyfileName, stateName} {
		info, err := os.Stat(d.dir.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestDemoRefusesACaddyfileOfOtherAddresses(t *testing.T) {
	for flag, set := range map[string]func(*demo){
		"--listen":               func(d *demo) { d.listen = "127.0.0.1:8081" },
		"--authorization-server": func(d *demo) { d.authorizationServer = "127.0.0.1:9803" },
		"--api":                  func(d *demo) { d.api = "127.0.0.1:9804" },
	} {
		d := newTestDemo(t)
		if err := d.prepare(); err != nil {
			t.Fatal(err)
		}
		before := read(t, d.dir.path(caddyfileName))
		set(d)
		wants(t, d.prepare(), flag, "--fresh", "--dir", d.dir.path(caddyfileName))
		if read(t, d.dir.path(caddyfileName)) != before {
			t.Error("it was overwritten")
		}
		d.fresh = true
		if err := d.prepare(); err != nil {
			t.Fatal(err)
		}
		if read(t, d.dir.path(caddyfileName)) == before || read(t, d.dir.path(caddyfileName+".old")) != before {
			t.Error("--fresh did not write it anew, or did not keep the old one")
		}
	}
}

func TestDemoStartsOverOnlyInADirectoryOfItsOwn(t *testing.T) {
	d := newTestDemo(t)
	d.fresh = true
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	seed := read(t, d.dir.path(refreshTokenName))
	mine := d.dir.path("notes.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	if read(t, d.dir.path(refreshTokenName)) == seed {
		t.Error("the old grant lives")
	}
	read(t, mine)

	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, clientSecretName), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.dir = directory(foreign)
	wants(t, d.prepare(), foreign, "not the directory of a demo")
	if read(t, filepath.Join(foreign, clientSecretName)) != "precious" {
		t.Error("removed")
	}
}

func TestDemoRefusesADirectoryThatACaddyfileCannotName(t *testing.T) {
	d := newTestDemo(t)
	d.dir = "/tmp/{env.HOME}"
	wants(t, d.check(), "--dir")
}
