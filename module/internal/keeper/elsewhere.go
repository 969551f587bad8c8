package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"lamplighter/module/internal/panics"
)

// Mark names the token to programs that were handed it: its generation, and the beginning of
// a MAC whose key it is, so that nobody names a token who has not seen it. It is the same after a
// restart and in every replica, and is like no hash of the token that anybody keeps.
func (t *Token) Mark() string {
	mac := hmac.New(sha256.New, []byte(t.AccessToken))
	_, _ = mac.Write([]byte("Lamplighter-Generation"))
	return fmt.Sprintf("%d-%x", t.Generation, mac.Sum(nil)[:4])
}

// Changed returns what is closed when the token may have changed. Whoever waits for it
// asks for it first, and for the token after that.
func (k *Keeper) Changed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.change()
}

// Looked reports whether the record was looked at since the start, so that it is known
// whether there is a token.
func (k *Keeper) Looked() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Known()
}

// handOverLimit is how long a hold goes on for those who read the token elsewhere.
const handOverLimit = 100 * time.Millisecond

// endHold lets requests go on, once those have the token too that read it elsewhere, or
// have had their time. Called with k.mu held.
func (k *Keeper) endHold() {
	open, handOver := k.open, k.told.HandOver
	k.open = nil
	if handOver == nil {
		open()
		return
	}
	go func() {
		defer open()
		ctx, cancel := context.WithTimeout(context.Background(), handOverLimit)
		defer cancel()
		_ = panics.Contain(func() { handOver(ctx) })
	}()
}
