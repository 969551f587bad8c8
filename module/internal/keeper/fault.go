package keeper

import (
	"errors"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// faultOf sorts an error of the store.
func faultOf(err error) (grant.Fault, *grant.Facts) {
	if err == nil {
		return grant.None, nil
	}
	switch { // these are no trouble, and nobody prints them
	case errors.Is(err, recordstore.ErrNotFound):
		return grant.Missing, nil
	case errors.Is(err, recordstore.ErrConflict):
		return grant.Conflict, nil
	case errors.Is(err, recordstore.ErrBusy):
		return grant.Busy, nil
	case errors.Is(err, recordstore.ErrRolledBack):
		return grant.RolledBack, nil
	}
	facts := &grant.Facts{Detail: err.Error()}
	switch {
	case errors.Is(err, recordstore.ErrNewer):
		facts.Kind = "newer"
		return grant.Foreign, facts
	case errors.Is(err, recordstore.ErrExposed):
		facts.Kind = "exposed"
		return grant.Foreign, facts
	case errors.Is(err, recordstore.ErrForeign):
		return grant.Foreign, facts
	case errors.Is(err, recordstore.ErrUnreadable):
		return grant.Damaged, facts
	case errors.Is(err, store.ErrRefused):
		facts.Kind = grant.KindRefused
	case errors.Is(err, store.ErrUnsafe):
		facts.Kind = grant.KindUnsafe
	case errors.Is(err, store.ErrFull):
		facts.Kind = grant.KindFull
	}
	return grant.Away, facts
}
