package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"

	shared "lamplighter/module/store"
)

// leastRoom is what a record needs on its way to the disk.
const leastRoom = 1 << 20

// room returns an error if a directory of records cannot be written any more, though it
// could once. "" has none.
func room(dir string) error {
	if dir == "" {
		return nil
	}
	if err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s cannot be written: %w", dir, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < leastRoom { //nolint:gosec // no block has a negative size
		return fmt.Errorf("%s has %d bytes of space left: %w", dir, free, shared.ErrFull)
	}
	return nil
}
