//go:build failpoint && unix

// Package failpoint exists only so that tests can kill the process between two
// instructions. Production builds contain none of it: without the build tag
// failpoint every call is an empty function that the compiler removes.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Variable is the environment variable that names the place to die at, as
// "name" or, for its N-th passing counted from 1, as "name:N".
const Variable = "LAMPLIGHTER_FAILPOINT"

var (
	chosen, dieAt = parse(os.Getenv(Variable))
	passed        atomic.Int64
	followed      atomic.Int64
)

// At kills the process with SIGKILL if a test chose this place.
func At(name string) {
	if name != chosen || passed.Add(1) != dieAt {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal may need a moment to arrive; nothing may run until then
}

// Behind marks what follows such a place in time, but in another goroutine, which may get
// here first: it goes no further where the process is about to die.
func Behind(name string) {
	if name == chosen && followed.Add(1) == dieAt {
		select {}
	}
}

func parse(value string) (name string, n int64) {
	name, count, found := strings.Cut(value, ":")
	if !found {
		return name, 1
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		panic("failpoint: " + Variable + " must be a name or name:N with N from 1")
	}
	return name, n
}
