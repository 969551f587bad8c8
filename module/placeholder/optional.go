package placeholder

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// NoSecrets is the environment variable that is 1 where secrets may be absent.
const NoSecrets = "LAMPLIGHTER_NO_SECRETS"

// SecretsOptional reports whether a value that yields nothing is only told of: a
// configuration is validated where its secrets are not, or a command looks for what is
// wrong with them. A process that serves never starts without its secrets.
func SecretsOptional() bool {
	return os.Getenv(NoSecrets) == "1" && len(os.Args) > 1 && slices.Contains([]string{"validate", "doctor"}, os.Args[1])
}

// yieldsNothing is the error of a file or variable that is not there, or empty.
type yieldsNothing struct{ error }

// Unwrap returns it.
func (e yieldsNothing) Unwrap() error { return e.error }

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// warned are the messages that there were already: a value is resolved more than once.
var warned sync.Map

// Absent tells of a file that a setting names and that cannot be read, where secrets may
// be absent, and reports whether they may.
func Absent(where Where, setting string, err error) bool {
	if !SecretsOptional() {
		return false
	}
	warnOnce(where, fmt.Errorf("%s: %w", setting, err))
	return true
}

// warnOnce tells of a value that yields nothing, unless a command does so itself: once for
// each client whose it is.
func warnOnce(where Where, err error) {
	if os.Args[1] != "validate" {
		return
	}
	_, known := warned.LoadOrStore(err.Error(), true)
	if where.Client != "" {
		_, known = warned.LoadOrStore(where.Client+" "+err.Error(), true)
	}
	if !known {
		caddy.Log().Warn("a value is missing here, and is not checked; an instance needs it", append(where.Fields(), zap.Error(err))...)
	}
}
