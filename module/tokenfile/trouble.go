package tokenfile

import (
	"errors"
	"fmt"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
)

// Causes of trouble with files.
const (
	CauseFailed  = "token_file_failed"  // it cannot be written
	CauseExposed = "token_file_exposed" // others can write to it, or have
)

// Trouble is what is wrong with a file.
type Trouble struct {
	// Cause is one of the causes, Detail says it in a sentence, and Remedy what to do.
	Cause, Detail, Remedy string

	// Since is when it was noticed.
	Since time.Time

	changed bool // by somebody else, and written anew
}

// Lasts reports whether the file could not be written; otherwise it was, anew.
func (t *Trouble) Lasts() bool { return !t.changed }

// equal reports whether two troubles say the same.
func (t *Trouble) equal(other *Trouble) bool {
	return t.Cause == other.Cause && t.Detail == other.Detail
}

// troubleOf is that of an error.
func troubleOf(file string, err error) *Trouble {
	name, row := CauseFailed, ""
	if _, exposed := errors.AsType[exposedError](err); exposed {
		name = CauseExposed
	} else if _, grouped := errors.AsType[groupError](err); grouped {
		row = "group"
	} else if _, unfit := errors.AsType[unfitError](err); unfit {
		row = "unfit"
	}
	said := sentence(file, name, row)
	said.Detail += ": " + redact.Text(err.Error())
	return said
}

func slow(file string, after time.Duration) *Trouble {
	t := sentence(file, CauseFailed, "slow")
	t.Detail += fmt.Sprintf(" for %s", after)
	return t
}

func changed(file string) *Trouble {
	t := sentence(file, CauseExposed, "changed")
	t.changed = true
	return t
}

func sentence(file, name, row string) *Trouble {
	var why cause.Cause
	if row == "" {
		why = cause.Of(name)
	} else {
		why = cause.Of(name, row)
	}
	why = why.With("file", redact.Quoted(file))
	return &Trouble{Cause: name, Detail: why.Sentence, Remedy: why.Remedy, Since: time.Now()}
}
