package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a lamplighter that runs, in an environment of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
	err    error // of Wait, once done
}

// output collects what a process prints, and may be read meanwhile.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// home is where a process keeps its files. Its path is short, because the admin
// socket below it must fit into a socket address.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lamp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.Getenv("TMPDIR"),
		"HOME=" + home,
		"XDG_DATA_HOME=" + filepath.Join(home, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
	}
}

// start starts a lamplighter whose files are below home. It ends with the test.
func start(t *testing.T, home string, args ...string) *process {
	t.Helper()
	return startBinary(t, binary, home, environment(home), args...)
}

func startBinary(t *testing.T, binary, home string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, output: new(output), done: make(chan struct{})}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Dir = home
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("lamplighter %s printed:\n%s", strings.Join(args, " "), p.output)
		}
	})
	return p
}

// kill ends the process as a crash would.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.done
}

// end sends a signal and returns how the process ended.
func (p *process) end(sig os.Signal) error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.t.Fatalf("it still runs %v after %v", patience, sig)
		return nil
	}
}

// command runs a lamplighter command to its end and returns what it printed.
func command(t *testing.T, home string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = home
	cmd.Env = environment(home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// sidecar is a lamplighter that runs a Caddyfile, and is called at an address.
type sidecar struct {
	*process
	address string
}

// write writes the Caddyfile of a sidecar and other files below home.
func write(t *testing.T, home, name, content string) string {
	t.Helper()
	path := filepath.Join(home, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runSidecar starts a sidecar with the file Caddyfile below home, and waits
// until it listens.
func runSidecar(t *testing.T, home, address string) *sidecar {
	t.Helper()
	s := &sidecar{start(t, home, "run", "--config", "Caddyfile", "--adapter", "caddyfile"), address}
	eventually(t, "the sidecar listens", func() bool {
		select {
		case <-s.done:
			t.Fatalf("the sidecar ended: %v", s.err)
		default:
		}
		return listens(address)
	})
	return s
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// freeAddress returns a loopback address where nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answer is what a caller of the sidecar gets.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// get makes the call of a legacy application: plain HTTP, no token.
func get(t *testing.T, address, path string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// unixClient makes HTTP requests over a unix socket.
func unixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

const terminate = syscall.SIGTERM
