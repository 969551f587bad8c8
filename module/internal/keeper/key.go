package keeper

import (
	"context"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
)

// Request is what a token request is to present.
type Request struct {
	// RefreshToken is presented if it is not empty.
	RefreshToken string

	// Key is the private key (PEM) whose proof goes along, if one is wanted; "" for that of
	// the settings, or for one that is made. Keyed is told which it is.
	Key   string
	Keyed func(*dpop.Key)

	// BeforeSend is called when the connection is up, after Keyed and before the first byte of
	// the request. Its error calls the request off.
	BeforeSend func() error
}

// keyed notes the key whose proof goes with the request, as the record is to keep it. It is
// called before the request could be written.
func (r *tokenRequest) keyed(k *dpop.Key) {
	text, err := k.Text()
	if err != nil {
		return
	}
	redact.Remember(text)
	r.key = record.Key{ID: idOf(k), Alg: k.Alg(), Private: text}
}

// ImportBound is Import of a refresh token that was obtained with proofs of a key, nil if it was
// not: that of a public client is bound to it. With again it is ImportAgain.
func (k *Keeper) ImportBound(ctx context.Context, refreshToken string, key *dpop.Key, force, again bool) (Result, error) {
	return k.order(ctx, step.Order{Import: refreshToken, Force: force, Again: again, Key: boundTo(key)})
}

// LoggedIn is ImportBound of what a log-in has brought, with force.
func (k *Keeper) LoggedIn(ctx context.Context, refreshToken string, key *dpop.Key) (Result, error) {
	return k.order(ctx, step.Order{Import: refreshToken, Login: true, Force: true, Key: boundTo(key)})
}

// boundTo is a key as a record has it, the zero value if it is nil.
func boundTo(key *dpop.Key) record.Key {
	r := new(tokenRequest)
	if key != nil {
		r.keyed(key)
	}
	return r.key
}

// idOf is how a record names a key, 0 for none.
func idOf(k *dpop.Key) record.Fingerprint {
	if k == nil {
		return 0
	}
	return record.FingerprintOf(k.Thumbprint())
}

// keyOf returns the key that an access token is bound to, nil if it is bound to none. ok is false
// if nobody has it.
func keyOf(t *record.AccessToken, rec *record.Record) (key *dpop.Key, ok bool) {
	if t.Key == 0 {
		return nil, true
	}
	kept := rec.Key(t.Key)
	if kept == nil {
		return nil, false
	}
	redact.Remember(kept.Private)
	key, err := dpop.Parse(kept.Private, kept.Alg)
	return key, err == nil
}
