//go:build !windows

package listen

import (
	"errors"
	"syscall"
)

func bind(fd uintptr, to syscall.Sockaddr) error { return syscall.Bind(int(fd), to) }

// inUse reports whether an address cannot be bound because somebody has it.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
