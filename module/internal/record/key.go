package record

import (
	"cmp"
	"slices"
)

// Key is a private key that tokens are bound to (RFC 9449). It belongs to tokens and not to
// settings: what a server has issued to its holder is of use to nobody without it.
type Key struct {
	// ID is the fingerprint of its thumbprint (RFC 7638).
	ID Fingerprint `json:"id"`

	// Number is that of the attempt that proved it last.
	Number uint32 `json:"number"`

	// Alg is the algorithm of its proofs (RFC 7518).
	Alg string `json:"alg"`

	// Private is the key itself, as PEM. It is a secret.
	Private string `json:"private_key"`
}

func (k Key) key() Fingerprint { return k.ID }

func compareKeys(a, b Key) int { return compare(a, b, cmp.Compare(a.Number, b.Number)) }

// Key returns the key of that ID, nil if it is not here.
func (r *Record) Key(id Fingerprint) *Key {
	for i := range r.Keys {
		if k := &r.Keys[i]; k.ID == id && id != 0 {
			return k
		}
	}
	return nil
}

// NewestKey returns the key that was proved last, of those whose algorithm is one of a list; of
// any if that is empty. nil if there is none.
func (r *Record) NewestKey(algs []string) (found *Key) {
	for i := range r.Keys {
		k := &r.Keys[i]
		if k.Fits(algs) && (found == nil || compareKeys(*found, *k) < 0) {
			found = k
		}
	}
	return found
}

// Proof is what the settings want of proofs of possession (RFC 9449).
type Proof struct {
	Wanted bool        // each token request has one
	Bound  bool        // refresh tokens are bound to the key as well: the client is a public one
	Key    Fingerprint // the ID of the key, 0 if it is ours to make
	Algs   []string    // that the key may be for, any if there are none
}

// Prove returns the key whose proof goes with a refresh token: that of the settings or, if it is
// ours to make, the one that the token was obtained with, or else the one that was proved last;
// zero if none is wanted, or one is to be made. ok is false if the token is a public client's,
// which is bound to another one and of no use with this.
func (r *Record) Prove(f Fingerprint, candidate bool, want Proof) (key Key, ok bool) {
	bound := r.KeyOf(f)
	own := r.Key(bound)
	switch {
	case !want.Wanted:
	case want.Key != 0 && (!candidate || bound == 0):
		key.ID = want.Key
	case own != nil && own.Fits(want.Algs):
		key = *own
	default:
		if newest := r.NewestKey(want.Algs); newest != nil {
			key = *newest
		}
	}
	return key, candidate || !want.Bound || bound == 0 || bound == key.ID
}

// Fits reports whether the key's algorithm is one of a list, or the list is empty.
func (k *Key) Fits(algs []string) bool { return len(algs) == 0 || slices.Contains(algs, k.Alg) }

// KeyOf returns the ID of the key that a refresh token is bound to, as far as is known: the one
// whose proof it was obtained with, or supplied with. 0 if there was none.
func (r *Record) KeyOf(f Fingerprint) Fingerprint {
	l := r.Lineage(r.LineageOf(f))
	if l == nil {
		return 0
	}
	if t := l.token(f); t != nil {
		return t.Key
	}
	return 0
}

// Hold notes the key that an attempt proves. No key is held without one.
func (r *Record) Hold(number uint32, k Key) *Record {
	if k.Private == "" {
		return r
	}
	k.Number = number
	return r.with(&Record{Keys: []Key{k}})
}

// keptKeys is how many keys are kept beside those that tokens are bound to.
const keptKeys = 2

// boundKeys forgets the keys that no token is bound to, but for the newest ones.
func (r *Record) boundKeys() {
	if len(r.Keys) <= keptKeys {
		return
	}
	newest := slices.SortedFunc(slices.Values(r.Keys), func(a, b Key) int { return compareKeys(b, a) })[:keptKeys]
	r.Keys = without(r.Keys, func(k Key) bool {
		return !r.binds(k.ID) && !slices.ContainsFunc(newest, func(n Key) bool { return n.ID == k.ID })
	})
}

// binds reports whether a token is bound to a key.
func (r *Record) binds(key Fingerprint) bool {
	if slices.ContainsFunc(r.AccessTokens, func(t AccessToken) bool { return t.Key == key }) {
		return true
	}
	return slices.ContainsFunc(r.Lineages, func(l Lineage) bool {
		return slices.ContainsFunc(l.Tokens, func(t Token) bool { return t.Key == key && t.RefreshToken != "" })
	})
}
