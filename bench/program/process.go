// Package program starts the programs that are measured, and says what they use: CPU and
// memory. It knows neither what they do nor what is asked of them.
package program

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
	"time"
)

// Patience is how long a process may take for what it does at once.
const Patience = 30 * time.Second

// Process is a server under test. Its files are below a directory of its own.
type Process struct {
	cmd    *exec.Cmd
	home   string
	output tail
	done   chan struct{}
	admin  *http.Client // of Caddy's admin API
}

// tail keeps the end of what a process prints, for error messages.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if extra := len(t.buf) - 4096; extra > 0 {
		t.buf = bytes.Clone(t.buf[extra:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// Start starts a binary whose home is a directory of its own, with further variables of
// the environment, as in GOGC=200. It ends with the context.
func Start(ctx context.Context, home string, env []string, binary string, args ...string) (*Process, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	socket := filepath.Join(home, "admin.sock")
	p := &Process{home: home, done: make(chan struct{}), admin: unixClient(socket)}
	p.cmd = exec.CommandContext(ctx, binary, args...)
	p.cmd.Dir = home
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.Getenv("TMPDIR"),
		"HOME=" + home,
		"XDG_DATA_HOME=" + filepath.Join(home, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"CADDY_ADMIN=unix/" + socket,
	}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	contain(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

// Output returns the end of what it has printed.
func (p *Process) Output() string { return p.output.String() }

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	_ = p.cmd.Cancel()
	<-p.done
}

// Listens waits until something listens at an address.
func (p *Process) Listens(ctx context.Context, address string) error {
	return p.Eventually(ctx, Patience, time.Millisecond, "listen on "+address, func() error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

// Answers waits until a GET is answered 200, and returns when that was.
func (p *Process) Answers(ctx context.Context, limit time.Duration, url string) (at time.Time, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	err = p.Eventually(ctx, limit, time.Millisecond, "answer 200", func() error {
		_, err := Fetch(ctx, client, url)
		at = time.Now()
		return err
	})
	return at, err
}

// Eventually tries until it succeeds, the process ends or time is up.
func (p *Process) Eventually(ctx context.Context, limit, pause time.Duration, what string, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended:\n%s", p.cmd.Path, &p.output)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: it does not %s within %v:\n%w\n%s", ErrLate, what, limit, err, &p.output)
		}
	}
}

// ErrLate is the error of a process that is still at it when time is up.
var ErrLate = errors.New("too late")

// errStatus is an answer other than 200.
var errStatus = errors.New("unexpected status")

// Fetch makes a GET and returns the body of a 200.
func Fetch(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		text := strings.TrimSpace(string(body))
		err = fmt.Errorf("%w %s: %s", errStatus, res.Status, text[:min(len(text), 500)])
	}
	return body, err
}

// Ask makes a GET to the admin API.
func (p *Process) Ask(ctx context.Context, path string) ([]byte, error) {
	return Fetch(ctx, p.admin, "http://localhost"+path)
}

// Post sends an order to the admin API.
func (p *Process) Post(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	res, err := p.admin.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answers %s", errStatus, path, res.Status)
	}
	return nil
}

func unixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

// FreeAddress returns a loopback address where nothing listens.
func FreeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// FirstLine shortens an error that quotes what a process printed.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
