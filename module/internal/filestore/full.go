package filestore

import (
	"errors"
	"fmt"
	"syscall"

	"lamplighter/module/store"
)

// full says of an error of a disk without room, or of a user whose quota is used up, that it
// is one, in the same word as a shared store does.
func full(err error) error {
	if errors.Is(err, store.ErrFull) || !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrFull, err)
}
