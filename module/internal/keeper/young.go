package keeper

import (
	"time"

	"lamplighter/module/internal/grant"
)

// young is how long an upstream may refuse an access token for being too new: its
// clock is behind that of the authorization server.
const young = 5 * time.Second

// Former returns a pass for the token that another one has replaced, if that one was
// refused and is so young that the clock of the upstream may be to blame. It reports
// false if there is none that is valid and was held here, or if it died when it was
// replaced.
func (k *Keeper) Former(refused *Token) (Pass, bool) {
	f := k.former.Load()
	if f == nil || f.Generation+1 != refused.Generation || k.drains.Load() || !f.valid(k.now()) {
		return Pass{}, false
	}
	return Pass{Token: f, Former: true}, true
}

// Behind notes that an upstream has accepted the former token where it had refused the
// one that replaced it: its clock is behind.
func (k *Keeper) Behind() { k.behind.Store(true) }

// Proven returns a pass for the former token instead of the current one, for a request
// that could not be sent again if that is too young for an upstream whose clock is known
// to be behind.
func (k *Keeper) Proven(current *Token) (Pass, bool) {
	if !k.behind.Load() {
		return Pass{}, false
	}
	return k.Former(current)
}

// keepFormer keeps the token that another one has just replaced while that one is
// young, unless an upstream had refused it. Called with k.mu held.
func (k *Keeper) keepFormer(was, is *grant.Live, former *Token) {
	alike := was != nil && former != nil && was.Generation+1 == is.Generation &&
		was.Token.Request == is.Token.Request && was.Token.Grant == is.Token.Grant && was.Token.Lineage == is.Token.Lineage
	if !alike || k.drains.Load() || k.state.Forced(was.Generation) {
		k.former.Store(nil)
		return
	}
	k.former.Store(former)
	time.AfterFunc(young, func() { k.former.CompareAndSwap(former, nil) })
}
