package demo

import (
	"os/exec"
	"syscall"
)

// bindToParent makes a child die with this process, even if that is killed, and
// keeps the terminal's Ctrl-C from it: it is told to end in our own words.
func bindToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
