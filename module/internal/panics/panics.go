// Package panics keeps a panic where it began.
//
// The rule: a goroutine that we start, and that touches what came from outside (an
// answer, a request, another module's handler), runs that within Contain. Go ends
// the whole process for a panic that a goroutine leaves unrecovered, with all
// clients in it; net/http guards the goroutines of its own handlers only.
//
// What a panic says is never printed. Its value may quote an answer, a token or a
// secret, and so may a stack with arguments: only the type and the place are told.
package panics

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Contain calls do. If that ends in a panic it returns an error that says of what
// type and where, and holds nothing of its value.
func Contain(do func()) (err error) {
	finished := false
	defer func() {
		if finished {
			return
		}
		if r := recover(); r != nil {
			err = fmt.Errorf("a %T panic at %s", r, place())
		}
	}()
	do()
	finished = true
	return nil
}

// place names the function, file and line that panicked. It is called by the
// deferred function of Contain.
func place() string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	panicked := false
	for {
		frame, more := frames.Next()
		switch {
		case !strings.HasPrefix(frame.Function, "runtime."):
			if panicked {
				return fmt.Sprintf("%s (%s:%d)", frame.Function, path.Base(frame.File), frame.Line)
			}
		case frame.Function == "runtime.gopanic":
			panicked = true
		}
		if !more {
			return "an unknown place"
		}
	}
}
