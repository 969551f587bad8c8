package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDemoSidecarProcess is not a test, but the process that others start in the
// place of a sidecar.
func TestDemoSidecarProcess(t *testing.T) {
	address := os.Getenv("DEMO_SIDECAR_LISTENS")
	if address == "" {
		t.Skip("only the tests below run it")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		_, _ = listener.Accept()
	}
}

// newTestSidecar runs the process above; what is said arrives in the channel.
func newTestSidecar(t *testing.T, listens string) (*sidecar, chan int) {
	pids := make(chan int, 10)
	return &sidecar{
		listen: listens,
		log:    filepath.Join(t.TempDir(), "log"),
		start: func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDemoSidecarProcess$")
			cmd.Env = append(os.Environ(), "DEMO_SIDECAR_LISTENS="+listens)
			return cmd
		},
		say: func(pid int, format string, args ...any) { pids <- pid },
	}, pids
}

func TestDemoStartsAKilledSidecarAgain(t *testing.T) {
	address := "127.0.0.1:0"
	free, err := bindFor("", &address)
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	s, pids := newTestSidecar(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()

	first := <-pids
	process, err := os.FindProcess(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	if pid := <-pids; pid != 0 {
		t.Errorf("it did not say that the sidecar ended, but %d", pid)
	}
	if second := <-pids; second == first || second == 0 {
		t.Errorf("process %d after %d", second, first)
	}

	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("the sidecar outlived the demo")
	}
}

func TestDemoEndsWithTheLastWordsOfASidecarThatNeverListened(t *testing.T) {
	s, _ := newTestSidecar(t, "127.0.0.1:no-such-port")
	err := s.run(t.Context())
	wants(t, err, "before it listened", "exit status 1", s.log, "no-such-port")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %v", err)
	}
}
