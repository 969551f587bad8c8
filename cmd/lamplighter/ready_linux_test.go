package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What Caddy says while it loads a configuration, well or not.
var (
	loads = []string{"RELOADING=1", "READY=1"}
	fails = []string{"RELOADING=1", "STATUS=loading new config: no", "READY=1"}
)

func TestReadinessIsThatOfAConfigurationWhichWasLoaded(t *testing.T) {
	for name, tc := range map[string]struct{ said, want []string }{
		"a start":                        {loads, []string{"READY=1\nSTATUS="}},
		"a start that fails":             {fails, []string{"STATUS=loading new config: no"}},
		"a start after one that failed":  {slices.Concat(fails, loads), []string{"STATUS=loading new config: no", "READY=1\nSTATUS="}},
		"a reload":                       {slices.Concat(loads, loads), []string{"READY=1\nSTATUS=", "RELOADING=1", "READY=1\nSTATUS="}},
		"a reload that fails":            {slices.Concat(loads, fails), append([]string{"READY=1\nSTATUS="}, fails...)},
		"a reload after one that failed": {slices.Concat(loads, fails, loads), slices.Concat([]string{"READY=1\nSTATUS="}, fails, []string{"RELOADING=1", "READY=1\nSTATUS="})},
		"a stop":                         {append(slices.Clone(loads), "STOPPING=1"), []string{"READY=1\nSTATUS=", "STOPPING=1"}},
	} {
		var r readiness
		var told []string
		for _, text := range tc.said {
			if text = r.next(text); text != "" {
				told = append(told, text)
			}
		}
		if !slices.Equal(told, tc.want) {
			t.Errorf("%s: systemd is told %q, not %q", name, told, tc.want)
		}
	}
}

// ended is what is told of a process after all that it said itself.
const ended = "ENDED"

// started runs a configuration until it ends or says that it is ready, as systemd does.
func started(t *testing.T, config string) bool {
	t.Helper()
	home := short(t)
	file := filepath.Join(home, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(home, "systemd.sock"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "run", "--config", file)
	cmd.Env = append(os.Environ(), asBinary+"=1", "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_RUNTIME_DIR="+home,
		"RUNTIME_DIRECTORY="+home, "NOTIFY_SOCKET="+systemd.LocalAddr().String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		_, _ = systemd.WriteToUnix([]byte(ended), systemd.LocalAddr().(*net.UnixAddr)) // after all that it said
	}()
	defer func() { _ = cmd.Process.Kill() }()
	buffer := make([]byte, 4096)
	for {
		n, err := systemd.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(buffer[:n]); text == ended || strings.HasPrefix(text, "READY=1") {
			return text != ended
		}
	}
}

// Services of others than systemd have no directory of their own that somebody clears.
func TestNothingIsLeftOfWhatReadinessComesThrough(t *testing.T) {
	for _, name := range []string{"RUNTIME_DIRECTORY", "TMPDIR"} {
		dir := short(t)
		t.Setenv("RUNTIME_DIRECTORY", "")
		t.Setenv(name, dir)
		socket, err := listenUnnamed()
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s has %v in it (%v)", name, left, err)
		}
		caddy, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket.address, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer caddy.Close()
		if _, err := caddy.Write([]byte("READY=1")); err != nil {
			t.Error(err)
		}
		buffer := make([]byte, 16)
		if n, err := socket.Read(buffer); err != nil || string(buffer[:n]) != "READY=1" {
			t.Errorf("%q came (%v)", buffer[:n], err)
		}
	}
}

func TestAStartThatFailsIsNoneForSystemd(t *testing.T) {
	if !started(t, "{\n\tadmin off\n}\n") {
		t.Error("a start is not told of")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if started(t, "{\n\tadmin off\n}\nhttp://"+listener.Addr().String()+" {\n\trespond ok\n}\n") {
		t.Error("a start without its port is told of as one")
	}
}
