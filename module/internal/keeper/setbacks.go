package keeper

// setbacks are the pauses after what most clients never meet. There may be very
// many clients, so a keeper has none until it needs them.
type setbacks struct {
	trial   trial   // of a new refresh token beside a grant that lives
	contest pauses  // of token requests that another holder's different ones undo
	forced  pauses  // of refreshes that 401s bring about
	saving  backoff // of the attempts to write an unsaved record
}

// setback returns the keeper's setbacks, to change them. Called with k.mu held.
func (k *Keeper) setback() *setbacks {
	if k.setbacks == nil {
		k.setbacks = new(setbacks)
	}
	return k.setbacks
}

// setbacksSoFar returns a copy of them, to look at. Called with k.mu held.
func (k *Keeper) setbacksSoFar() setbacks {
	if k.setbacks == nil {
		return setbacks{}
	}
	return *k.setbacks
}
