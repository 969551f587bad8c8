package rig

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// Server is a program that others connect to, in a directory of its own. It can be
// stopped, and started again with what it kept.
type Server struct {
	T       testing.TB
	Dir     string
	Output  *Output
	command []string
	cmd     *exec.Cmd
	done    chan struct{}
}

// Directory returns an empty directory with a short path, which belongs to a user of this
// machine if there is root to give it away.
func Directory(t testing.TB, owner string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "srv-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	Give(t, dir, owner)
	return dir
}

// Give gives a file to a user of this machine, if there is root to do so.
func Give(t testing.TB, path, owner string) {
	t.Helper()
	if os.Getuid() != 0 || owner == "" {
		return
	}
	who, err := user.Lookup(owner)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
}

// As is the command line that runs another one as a user, if there is root to do so.
func As(owner string, command ...string) []string {
	if os.Getuid() != 0 || owner == "" {
		return command
	}
	return append([]string{"setpriv", "--reuid=" + owner, "--regid=" + owner, "--init-groups", "--"}, command...)
}

// Serve starts a server. It is killed at the end of the test.
func Serve(t testing.TB, dir string, command ...string) *Server {
	t.Helper()
	s := &Server{T: t, Dir: dir, Output: new(Output), command: command}
	s.Start()
	t.Cleanup(func() {
		s.Stop(os.Kill)
		if t.Failed() {
			text := s.Output.String()
			t.Logf("%s printed at its end:\n%s", command[0], text[max(0, len(text)-4000):])
		}
	})
	return s
}

// Start starts it again.
func (s *Server) Start() {
	s.T.Helper()
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, s.Output, s.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts ends with it
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	s.cmd, s.done = cmd, done
}

// Stop sends a signal, and waits for its end. Killed is the whole group of processes.
func (s *Server) Stop(sig os.Signal) {
	s.T.Helper()
	if s.Ended() {
		return
	}
	if sig == os.Kill {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	} else if err := s.cmd.Process.Signal(sig); err != nil {
		s.T.Fatal(err)
	}
	<-s.done
}

// Ended reports whether it has ended.
func (s *Server) Ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Until waits for it to be of use.
func (s *Server) Until(what string, holds func() bool) {
	s.T.Helper()
	Eventually(s.T, what, func() bool {
		if s.Ended() {
			s.T.Fatalf("%s ended:\n%s", s.command[0], s.Output)
		}
		return holds()
	})
}
