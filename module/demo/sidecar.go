package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	// restartPause is how long a killed sidecar stays away.
	restartPause = time.Second

	// patience is how long the sidecar may take to end: longer than the grace
	// period of its Caddyfile.
	patience = 12 * time.Second

	// maxSocketPath is the longest path of a unix socket everywhere.
	maxSocketPath = 103
)

// sidecar runs the sidecar, a process of its own, again and again.
type sidecar struct {
	listen string
	log    string
	socket string // of the admin API
	temp   string // its directory, if that is not the demo's
	start  func(context.Context) *exec.Cmd
	say    func(pid int, format string, args ...any)
}

func (d *demo) sidecar() (*sidecar, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &sidecar{listen: d.listen, log: d.dir.path(sidecarLog), socket: d.dir.path(adminSocket), say: d.out.sidecar}
	if len(s.socket) > maxSocketPath {
		if s.temp, err = os.MkdirTemp("", "lamplighter-"); err != nil {
			return nil, err
		}
		s.socket = filepath.Join(s.temp, adminSocket)
	}
	home := d.dir.path(sidecarHome)
	s.start = func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, executable, "run", "--config", d.dir.path(caddyfileName), "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(),
			"XDG_DATA_HOME="+filepath.Join(home, "data"),
			"XDG_CONFIG_HOME="+filepath.Join(home, "config"),
			"CADDY_ADMIN=unix/"+s.socket+"|0600",
		)
		return cmd
	}
	return s, nil
}

// remove removes what is outside of the demo's directory.
func (s *sidecar) remove() {
	if s.temp != "" {
		_ = os.RemoveAll(s.temp)
	}
}

// run starts the sidecar, and starts it again whenever it ends, until ctx does.
// Only a sidecar that ends before it listens is an error: its configuration is
// wrong, and a second attempt would not mend that.
func (s *sidecar) run(ctx context.Context) error {
	// On Linux the sidecar is killed when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		listened, err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !listened {
			return fmt.Errorf("the sidecar ended before it listened: %w; the last line of %s: %s", err, s.log, lastLine(s.log))
		}
		s.say(0, "it ended (%v), and is started again in %v", err, restartPause)
		select {
		case <-time.After(restartPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// once runs the sidecar to its end and tells whether it ever listened.
func (s *sidecar) once(ctx context.Context) (listened bool, err error) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	defer log.Close()
	cmd := s.start(ctx)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	bindToParent(cmd)
	if err := cmd.Start(); err != nil {
		return false, err
	}
	probing, stop := context.WithCancel(ctx)
	announced := make(chan bool, 1)
	go func() { announced <- s.announce(probing, cmd.Process.Pid) }()
	err = cmd.Wait()
	stop()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return <-announced, err
}

// announce waits until the sidecar listens, and says so.
func (s *sidecar) announce(ctx context.Context, pid int) bool {
	for ctx.Err() == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.listen)
		if err == nil {
			_ = conn.Close()
			s.say(pid, "process %d listens on %s; try: kill -9 %d", pid, s.listen, pid)
			return true
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return false
}

// lastLine returns the last line of a file.
func lastLine(file string) []byte {
	data, err := os.ReadFile(file)
	if err != nil {
		return []byte(err.Error())
	}
	data = bytes.TrimSpace(data)
	return data[bytes.LastIndexByte(data, '\n')+1:]
}
