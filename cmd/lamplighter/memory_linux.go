package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// protectMemory keeps tokens out of core dumps, and away from other processes of
// the same user that would read this one's memory.
func protectMemory() error {
	return errors.Join(
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
	)
}
