package keeper

import (
	"errors"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/store"
	engine "lamplighter/module/store"
)

// faultOf sorts an error of the store.
func faultOf(err error) (grant.Fault, *grant.Facts) {
	if err == nil {
		return grant.None, nil
	}
	switch { // these are no trouble, and nobody prints them
	case errors.Is(err, store.ErrNotFound):
		return grant.Missing, nil
	case errors.Is(err, store.ErrConflict):
		return grant.Conflict, nil
	case errors.Is(err, store.ErrBusy):
		return grant.Busy, nil
	case errors.Is(err, store.ErrRolledBack):
		return grant.RolledBack, nil
	}
	facts := &grant.Facts{Detail: err.Error()}
	switch {
	case errors.Is(err, store.ErrNewer):
		facts.Kind = "newer"
		return grant.Foreign, facts
	case errors.Is(err, store.ErrExposed):
		facts.Kind = "exposed"
		return grant.Foreign, facts
	case errors.Is(err, store.ErrForeign):
		return grant.Foreign, facts
	case errors.Is(err, store.ErrUnreadable):
		return grant.Damaged, facts
	case errors.Is(err, engine.ErrRefused):
		facts.Kind = grant.KindRefused
	case errors.Is(err, engine.ErrUnsafe):
		facts.Kind = grant.KindUnsafe
	case errors.Is(err, engine.ErrFull):
		facts.Kind = grant.KindFull
	}
	return grant.Away, facts
}
