package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepUntil sleeps with the kernel's own timers: the runtime rounds up to
// whole milliseconds.
func sleepUntil(at time.Time) {
	left := unix.NsecToTimespec(max(0, time.Until(at).Nanoseconds()))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}
