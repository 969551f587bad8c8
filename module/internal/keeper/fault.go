package keeper

import (
	"errors"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// faultOf sorts an error of the store.
func faultOf(err error) (step.Fault, *finding.Facts) {
	if err == nil {
		return step.None, nil
	}
	switch { // these are no trouble, and nobody prints them
	case errors.Is(err, recordstore.ErrNotFound):
		return step.Missing, nil
	case errors.Is(err, recordstore.ErrConflict):
		return step.Conflict, nil
	case errors.Is(err, recordstore.ErrBusy):
		return step.Busy, nil
	case errors.Is(err, recordstore.ErrRolledBack):
		return step.RolledBack, nil
	}
	facts := &finding.Facts{Detail: err.Error()}
	switch {
	case errors.Is(err, recordstore.ErrNewer):
		facts.Kind = "newer"
		return step.Unreadable, facts
	case errors.Is(err, recordstore.ErrExposed):
		facts.Kind = "exposed"
		return step.Unreadable, facts
	case errors.Is(err, recordstore.ErrSealed):
		facts.Kind = "sealed"
		return step.Unreadable, facts
	case errors.Is(err, recordstore.ErrForeign):
		return step.Unreadable, facts
	case errors.Is(err, recordstore.ErrUnreadable):
		return step.Damaged, facts
	case errors.Is(err, store.ErrRefused):
		facts.Kind = finding.KindRefused
	case errors.Is(err, store.ErrUnsafe):
		facts.Kind = finding.KindUnsafe
	case errors.Is(err, store.ErrFull):
		facts.Kind = finding.KindFull
	}
	return step.Away, facts
}
