package program

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// contain makes sure that a process and its workers end when they are told to.
func contain(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// CPU returns the CPU time of a process and its children so far, of all their
// threads, to the nanosecond.
func (p *Process) CPU() (time.Duration, error) {
	pids, err := family(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		// The clock of a process, as clock_getcpuclockid(3) makes it; its number is
		// part of the kernel's interface.
		const processClock = 2
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|processClock), &t); err != nil { //nolint:gosec // a pid has 22 bits
			return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// family returns a process and its children.
func family(parent int) ([]int, error) {
	pids := []int{parent}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		return nil, err
	}
	for _, path := range lists {
		list, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		for child := range strings.FieldsSeq(string(list)) {
			pid, err := strconv.Atoi(child)
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// RSS returns the resident memory of a process, in bytes.
func (p *Process) RSS() (float64, error) { return p.status("VmRSS") }

// Anonymous returns what of it is in no file, which the kernel can take back only
// by killing the process: all but the program itself.
func (p *Process) Anonymous() (float64, error) { return p.status("RssAnon") }

// status reads a size from what the kernel says of a process, in bytes.
func (p *Process) status(field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		var kib float64
		if _, err := fmt.Sscanf(string(line), field+": %f kB", &kib); err == nil {
			return kib * 1024, nil
		}
	}
	return 0, fmt.Errorf("process %d has no %s", p.cmd.Process.Pid, field)
}

// Machine describes this one.
func Machine() (cpu, kernel, memory string, err error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", "", "", err
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			cpu = strings.TrimSpace(value)
			break
		}
	}
	var name unix.Utsname
	var sys unix.Sysinfo_t
	if err := unix.Uname(&name); err != nil {
		return "", "", "", err
	}
	if err := unix.Sysinfo(&sys); err != nil {
		return "", "", "", err
	}
	bytes := float64(sys.Totalram) * float64(sys.Unit)
	return cpu, unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:]), fmt.Sprintf("%.0f GiB", bytes/(1<<30)), nil
}
