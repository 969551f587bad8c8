package percaller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lamplighter/module/internal/tokenendpoint"
)

// Fault C6: what is kept is what a plain model keeps, which has no duplicates to
// drop anything early.
func TestBoundedKeepsWhatWasUsedLastAndHasNotExpired(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		operations := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) [4]int {
			return [4]int{rapid.IntRange(0, 2).Draw(rt, "operation"), rapid.IntRange(0, 6).Draw(rt, "key"), rapid.IntRange(0, 9).Draw(rt, "seconds"), rapid.IntRange(1, 5).Draw(rt, "limit")}
		}), 1, 60).Draw(rt, "operations")
		var failed string
		synctest.Test(t, func(*testing.T) { failed = againstModel(operations) })
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

type modelled struct {
	key   Key
	value int
	end   time.Time
}

// againstModel applies operations to a bounded and to a slice in the order of use.
func againstModel(operations [][4]int) string {
	b := newBounded[int]()
	var model []modelled
	without := func(drop func(modelled) bool) {
		kept := model[:0:0]
		for _, m := range model {
			if !drop(m) {
				kept = append(kept, m)
			}
		}
		model = kept
	}
	for i, op := range operations {
		now, key := time.Now(), Key(fmt.Sprint(op[1]))
		without(func(m modelled) bool { return !now.Before(m.end) })
		switch op[0] {
		case 0:
			end := now.Add(time.Duration(op[2]-1) * time.Second)
			b.put(key, i, end, now, op[3])
			without(func(m modelled) bool { return m.key == key })
			if end.After(now) {
				model = append(model[max(0, len(model)-op[3]+1):], modelled{key, i, end})
			}
		case 1:
			got, ok := b.get(key, now)
			at := -1
			for j, m := range model {
				if m.key == key {
					at = j
				}
			}
			if ok != (at >= 0) || ok && got != model[at].value {
				return fmt.Sprintf("operation %d: got %v, %v of %v", i, got, ok, model)
			}
			if ok {
				used := model[at]
				without(func(m modelled) bool { return m.key == key })
				model = append(model, used)
			}
		case 2:
			time.Sleep(time.Duration(op[2]) * time.Second)
		}
		now = time.Now()
		without(func(m modelled) bool { return !now.Before(m.end) })
		if n := b.len(now); n != len(model) {
			return fmt.Sprintf("operation %d: %d items, want %v", i, n, model)
		}
		if len(b.ends) != b.used.Len() || b.items.ItemCount() != b.used.Len() {
			return fmt.Sprintf("operation %d: %d ends and %d places of %d items", i, len(b.ends), b.used.Len(), b.items.ItemCount())
		}
	}
	return ""
}

// Fault C4.
func TestRefusedSubjectTokensPushNoTokenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = time.Millisecond
		for i := range 100 {
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		asked := s.asked.Load()
		granting := s.answer
		s.answer = refused
		for i := range 3000 {
			s.failure(t, c, fmt.Sprint("garbage ", i))
		}
		if n := c.refusals.len(time.Now()); n > maxRefusals {
			t.Errorf("%d refusals are kept", n)
		}
		s.answer = granting
		for i := range 100 {
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		s.wantAsked(t, asked+3000)
	})
}

// Fault C4.
func TestTokensThatHaveExpiredMakeRoomFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		for i := range 100 {
			s.answer = func(subject string) (a tokenendpoint.Answer) {
				a = granting(subject)
				if i%2 == 1 {
					a.ExpiresIn = time.Minute
				}
				return a
			}
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		time.Sleep(time.Minute)
		s.answer = granting
		for i := range 50 {
			s.token(t, c, fmt.Sprint("new caller ", i))
		}
		asked := s.asked.Load()
		for i := 0; i < 100; i += 2 {
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		s.wantAsked(t, asked)
	})
}

func TestTheTokenThatWasUsedLongestAgoMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		for i := range 1000 {
			s.token(t, c, fmt.Sprint("caller ", i))
			s.token(t, c, "caller 0")
		}
		s.wantAsked(t, 1000)
	})
}
