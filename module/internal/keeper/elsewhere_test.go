package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// handsOver is drain, for a token that others read elsewhere, who have it after a while.
func handsOver(takes time.Duration, called *atomic.Int32) func(*Settings) {
	return func(s *Settings) {
		drain(s)
		s.HandOver = func(ctx context.Context) {
			called.Add(1)
			select {
			case <-time.After(takes):
			case <-ctx.Done():
			}
		}
	}
}

func TestAHoldLastsUntilWhoReadsTheTokenElsewhereHasIt(t *testing.T) {
	for name, c := range map[string]struct{ takes, atLeast, atMost time.Duration }{
		"soon":  {30 * time.Millisecond, 30 * time.Millisecond, 31 * time.Millisecond},
		"never": {time.Hour, handOverLimit, handOverLimit + time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.random = func() float64 { return 0 }
				r.server.strict = true
				var called atomic.Int32
				p := r.boot(handsOver(c.takes, &called))
				p.token()
				r.server.edit(func(s *server) { s.latency = time.Second })
				r.untilHold()
				began := time.Now()
				for p.keeper.Current().Generation == 1 {
					time.Sleep(time.Millisecond)
				}
				published := time.Now()
				pass, _ := p.send()
				if held := time.Since(published); pass.Token.Generation != 2 || held < c.atLeast-time.Millisecond || held > c.atMost {
					t.Errorf("generation %d, held for %v after it was published, %v after the hold began", pass.Token.Generation, held, time.Since(began))
				}
				p.keeper.Answered(pass)
				if called.Load() != 1 {
					t.Errorf("it was handed over %d times", called.Load())
				}
			})
		})
	}
}

func TestWhoAsksForChangesFirstMissesNoToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		seen := make(chan uint64, 100)
		ended := make(chan struct{})
		go func() {
			defer close(seen)
			last := uint64(0)
			for {
				changed := p.keeper.Changed()
				if token := p.keeper.Current(); token != nil && token.Generation != last {
					last = token.Generation
					seen <- last
				}
				select {
				case <-changed:
				case <-ended:
					return
				}
			}
		}()
		if p.keeper.Looked() {
			t.Error("the record was looked at before there was time")
		}
		p.token()
		synctest.Wait()
		if !p.keeper.Looked() || <-seen != 1 {
			t.Error("nobody was told of the first token")
		}
		close(ended)
	})
}

func TestAMarkNamesNothingOfTheToken(t *testing.T) {
	one := &Token{Generation: 7, AccessToken: "secret-one"}
	other := &Token{Generation: 7, AccessToken: "secret-other"}
	if one.Mark() == other.Mark() || !strings.HasPrefix(one.Mark(), "7-") || len(one.Mark()) != len("7-")+8 {
		t.Errorf("%s, %s", one.Mark(), other.Mark())
	}
	noSecret(t, one.Mark())
	if sum := sha256.Sum256([]byte(one.AccessToken)); strings.Contains(one.Mark(), hex.EncodeToString(sum[:4])) {
		t.Error("it is the beginning of the token's hash, which others keep too")
	}
	if again := (&Token{Generation: 7, AccessToken: "secret-one"}); again.Mark() != one.Mark() {
		t.Error("another process names it otherwise")
	}
}
