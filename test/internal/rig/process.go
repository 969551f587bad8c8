package rig

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Terminate asks a process to end.
const Terminate = syscall.SIGTERM

// Process is a lamplighter that runs, in an environment of its own.
type Process struct {
	T      *testing.T
	Cmd    *exec.Cmd
	Output *Output
	Done   chan struct{} // closed when it has ended
	Err    error         // of Wait, once Done
}

// Output collects what a process prints, and may be read meanwhile.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Home is where a process keeps its files. Its path is short, because the admin
// socket below it must fit into a socket address.
func Home(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lamp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Environment is what a process whose files are below home is given.
func Environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.Getenv("TMPDIR"),
		"HOME=" + home,
		"XDG_DATA_HOME=" + filepath.Join(home, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
	}
}

// Start starts a lamplighter whose files are below home. It ends with the test.
func Start(t *testing.T, home string, args ...string) *Process {
	t.Helper()
	return StartBinary(t, Binary, home, Environment(home), args...)
}

// StartBinary starts another binary, or one in another environment.
func StartBinary(t *testing.T, binary, home string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{T: t, Output: new(Output), Done: make(chan struct{})}
	p.Cmd = exec.Command(binary, args...)
	p.Cmd.Dir = home
	p.Cmd.Env = env
	p.Cmd.Stdout, p.Cmd.Stderr = p.Output, p.Output
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.Done)
		p.Err = p.Cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill()
		<-p.Done
		if t.Failed() {
			t.Logf("lamplighter %s printed:\n%s", strings.Join(args, " "), p.Output)
		}
	})
	return p
}

// Kill ends the process as a crash would.
func (p *Process) Kill() {
	p.T.Helper()
	if err := p.Cmd.Process.Kill(); err != nil {
		p.T.Fatal(err)
	}
	<-p.Done
}

// End sends a signal and returns how the process ended.
func (p *Process) End(sig os.Signal) error {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(sig); err != nil {
		p.T.Fatal(err)
	}
	select {
	case <-p.Done:
		return p.Err
	case <-time.After(Patience):
		p.T.Fatalf("it still runs %v after %v", Patience, sig)
		return nil
	}
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.Done:
		return true
	default:
		return false
	}
}

// Printed waits for what a command prints, and returns the first group of the
// pattern.
func (p *Process) Printed(pattern string) string {
	p.T.Helper()
	var found []string
	Eventually(p.T, "it prints "+pattern, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(p.Output.String())
		return found != nil
	})
	return found[1]
}

// WantExit waits for the end of a command, and checks its exit code and what it
// printed.
func (p *Process) WantExit(code int, pattern string) {
	p.T.Helper()
	select {
	case <-p.Done:
	case <-time.After(Patience):
		p.T.Fatal("the command does not end")
	}
	if got := p.Cmd.ProcessState.ExitCode(); got != code || !regexp.MustCompile(pattern).MatchString(p.Output.String()) {
		p.T.Fatalf("exit code %d, want %d, and output that matches %q:\n%s", got, code, pattern, p.Output)
	}
}

// Command runs a lamplighter command to its end and returns what it printed.
func Command(t *testing.T, home string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary, args...)
	cmd.Dir = home
	cmd.Env = Environment(home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
