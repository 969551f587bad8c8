package encryption

import (
	"slices"
	"sync"

	"filippo.io/age"
)

// Keyring holds the keys of the configurations that are at work. The newest
// encrypts; every one that was ever here decrypts, for what another
// configuration wrote a moment ago.
type Keyring struct {
	mu     sync.Mutex
	active []*Keys
	known  []*Keys
}

// Use adds keys, nil for none. Its result takes them out again.
func (r *Keyring) Use(k *Keys) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := new(Keys) // so that equal keys can be told apart
	if k != nil {
		*own = *k
		if !slices.ContainsFunc(r.known, own.Same) {
			r.known = append(r.known, own)
		}
	}
	r.active = append(r.active, own)
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.active = slices.DeleteFunc(r.active, func(a *Keys) bool { return a == own })
	})
}

// Writing returns the keys to encrypt with, nil for none.
func (r *Keyring) Writing() *Keys {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.active) == 0 {
		return nil
	}
	if newest := r.active[len(r.active)-1]; len(newest.recipients) > 0 {
		return newest
	}
	return nil
}

// Identities returns all keys that decrypt.
func (r *Keyring) Identities() (all []age.Identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.known {
		all = append(all, k.identities...)
	}
	return all
}
