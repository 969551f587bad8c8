package listen

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

func bind(fd uintptr, to syscall.Sockaddr) error { return syscall.Bind(syscall.Handle(fd), to) }

// inUse reports whether an address cannot be bound because somebody has it.
func inUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }
