package records

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// A running instance shares the lock that a store of files proves its locks with, so that a
// command that does not reach it notices: it would take a grant away from the instance.

// runningPoll and runningWait are for a lock that another process is just proving.
const (
	runningPoll = 20 * time.Millisecond
	runningWait = 500 * time.Millisecond
)

// lockFile is the path of that lock.
func (u *Use) lockFile() string { return filepath.Join(u.dir, ".lock") }

// Run says, until Close, that an instance uses the stores.
func (s *Stores) Run(ctx context.Context) {
	for _, u := range s.list() {
		if u.shared != nil || u.err != nil {
			continue
		}
		lock := flock.New(u.lockFile())
		ctx, cancel := context.WithTimeout(ctx, runningWait)
		if _, err := lock.TryRLockContext(ctx, runningPoll); err == nil { // best effort
			u.running = lock
		}
		cancel()
	}
}

// notRunning returns an error if another instance uses the store, as far as that can be told.
func (u *Use) notRunning(ctx context.Context) error {
	if _, err := os.Stat(u.lockFile()); u.shared != nil || err != nil { // no file is left where nothing is
		return nil
	}
	lock := flock.New(u.lockFile())
	ctx, cancel := context.WithTimeout(ctx, runningWait)
	defer cancel()
	if ok, _ := lock.TryLockContext(ctx, runningPoll); !ok && ctx.Err() != nil {
		return fmt.Errorf("an instance is running that uses the records in %s, and this command does not reach it: name its admin address with --address, or stop it", u.dir)
	}
	_ = lock.Unlock() // there is nothing that could be done about it
	return nil
}
