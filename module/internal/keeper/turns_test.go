package keeper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/tokenendpoint"
)

// crowd is many clients at one authorization server.
type crowd struct {
	*testing.T
	turns, looks Turns
	limit        int
	dead         bool // the server never answers

	mu      sync.Mutex
	members []*machine
	asking  int
	busiest int
	asked   []int // members, in the order in which they asked
}

// newCrowd makes clients that are not started yet.
func newCrowd(t *testing.T, clients, limit int) *crowd {
	c := &crowd{T: t, limit: limit}
	for range clients {
		c.members = append(c.members, newRig(t).newProcess())
	}
	return c
}

// start starts a configuration of one member.
func (c *crowd) start(member int) (stop func()) {
	p := c.members[member]
	return p.start(func(s *Settings) {
		s.Looks, s.Requests, s.MaxRequests = &c.looks, &c.turns, c.limit
		s.Resolve = func() (Inputs, error) {
			in, err := p.resolve()
			ask := in.Ask
			in.Ask = func(ctx context.Context, q Request) tokenendpoint.Answer {
				c.enter(member)
				defer c.leave()
				if c.dead {
					<-ctx.Done()
					return answerNotSent(tokenendpoint.CauseUnreachable)
				}
				return ask(ctx, q)
			}
			return in, err
		}
	})
}

func (c *crowd) enter(member int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking++
	c.busiest = max(c.busiest, c.asking)
	c.asked = append(c.asked, member)
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking--
}

func (c *crowd) requests() []int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *crowd) end() {
	for _, p := range c.members {
		p.halt()
	}
	if left := c.turns.lines[0].Len() + c.turns.lines[1].Len(); left != 0 || c.turns.taken != 0 || c.looks.taken != 0 {
		c.Errorf("after the end %d stand in line, and %d and %d turns are taken", left, c.turns.taken, c.looks.taken)
	}
	time.Sleep(time.Hour)
}

func TestOnlySoManyAskOneAuthorizationServerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 200, 16)
		defer c.end()
		for i := range c.members {
			c.start(i)
		}
		time.Sleep(time.Minute)
		if got := c.requests(); len(got) != 200 || c.busiest != 16 {
			t.Errorf("%d requests, at most %d at a time, want 200 and 16", len(got), c.busiest)
		}
		for _, p := range c.members {
			if st := p.keeper.Status(); st.State != StateOK || st.Token != "valid" {
				t.Fatalf("%+v", st)
			}
		}
	})
}

func TestAClientWhoseTokenIsWaitedForPassesTheOthersInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 200, 1)
		defer c.end()
		for i := range c.members {
			c.start(i)
		}
		synctest.Wait()
		if st := c.members[199].keeper.Status(); st.State != StateRefreshing {
			t.Errorf("state %s in line, want refreshing", st.State)
		}
		if _, err := c.members[199].keeper.Acquire(t.Context(), 10*time.Second, true); err != nil {
			t.Error(err)
		}
		if asked := c.requests(); slices.Index(asked, 199) > 1 {
			t.Errorf("it asked after %d others", slices.Index(asked, 199))
		}
	})
}

func TestARequestWaitsNoLongerInLineThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 1)
		defer c.end()
		c.dead = true
		c.start(0)
		synctest.Wait()
		c.start(1)
		begin := time.Now()
		_, err := c.members[1].keeper.Acquire(t.Context(), 10*time.Second, true)
		var u *Unavailable
		if !errors.As(err, &u) || u.Trouble.Cause != finding.CauseQueued || time.Since(begin) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestADeadAuthorizationServerHoldsUpNobodyElsesClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, alive := newCrowd(t, 100, 16), newCrowd(t, 1, 16)
		defer dead.end()
		defer alive.end()
		dead.dead = true
		for i := range dead.members {
			dead.start(i)
		}
		synctest.Wait()
		alive.start(0)
		begin := time.Now()
		if _, err := alive.members[0].keeper.Acquire(t.Context(), 10*time.Second, true); err != nil || time.Since(begin) > time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestWhoStopsInLineAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10, 1)
		defer c.end()
		stops := make([]func(), 10)
		for i := range c.members {
			stops[i] = c.start(i)
			synctest.Wait()
		}
		for _, stop := range stops[1:9] {
			stop()
		}
		time.Sleep(time.Minute)
		if asked := c.requests(); !slices.Equal(asked, []int{0, 9}) {
			t.Errorf("%v asked, want the first and the last", asked)
		}
	})
}

func TestAnotherConfigurationKeepsThePlaceInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3, 1)
		defer c.end()
		stops := make([]func(), 3)
		for i := range c.members {
			stops[i] = c.start(i)
			synctest.Wait()
		}
		c.start(1)
		stops[1]()
		time.Sleep(time.Minute)
		if asked := c.requests(); !slices.Equal(asked, []int{0, 1, 2}) {
			t.Errorf("%v asked, want 0, 1, 2", asked)
		}
	})
}

func TestAHigherLimitLetsMoreAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10, 1)
		defer c.end()
		c.start(0)
		synctest.Wait()
		c.limit = 5
		for i := range c.members {
			c.start(i)
		}
		synctest.Wait()
		if c.asking != 5 {
			t.Errorf("%d ask at a time, want 5", c.asking)
		}
	})
}

func TestAnOrderDoesNotWaitForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3, 1)
		defer c.end()
		for i := range c.members {
			c.start(i)
			synctest.Wait()
		}
		if r, err := c.members[2].keeper.Refresh(t.Context(), false); err != nil || !r.Obtained {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(time.Minute)
		if asked := c.requests(); !slices.Equal(asked, []int{0, 2, 1}) {
			t.Errorf("%v asked, want 0, 2 by order, and 1", asked)
		}
	})
}

func TestARefusedTokenInLineIsReplayedWhenItsTurnHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 1)
		defer c.end()
		c.start(1)
		time.Sleep(time.Minute)
		c.start(0)
		synctest.Wait()
		k := c.members[1].keeper
		verdicts := make(chan Verdict, 2)
		used := k.Current()
		for range cap(verdicts) {
			go func() { verdicts <- k.Unauthorized(t.Context(), used, 10*time.Second) }()
		}
		for range cap(verdicts) {
			if v := <-verdicts; v != Renewed {
				t.Errorf("verdict %v, want Renewed", v)
			}
		}
	})
}

// Turns are never taken by more than the limit, and nobody is forgotten in line.
func TestTurnsAreGivenToEverybodyInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 3).Draw(t, "limit")
		turns := new(Turns)
		var taken, waiting []*turn
		begin := func(own *turn) {
			taken = append(taken, own)
			waiting = slices.DeleteFunc(waiting, func(other *turn) bool { return other == own })
		}
		pick := func(list []*turn, name string) int { return rapid.IntRange(0, len(list)-1).Draw(t, name) }
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				own, now := turns.take(limit, rapid.Bool().Draw(t, "hurried"), begin)
				if now {
					taken = append(taken, own)
				} else {
					waiting = append(waiting, own)
				}
			},
			"hurry": func(t *rapid.T) {
				if len(waiting) > 0 {
					waiting[pick(waiting, "who")].hurry()
				}
			},
			"leave": func(t *rapid.T) {
				if len(waiting) > 0 {
					i := pick(waiting, "who")
					if !waiting[i].leave() || waiting[i].leave() {
						t.Fatal("left not at all, or twice")
					}
					waiting = slices.Delete(waiting, i, i+1)
				}
			},
			"end": func(t *rapid.T) {
				if len(taken) > 0 {
					i := pick(taken, "who")
					own := taken[i]
					taken = slices.Delete(taken, i, i+1)
					own.end()
					own.end()
				}
			},
			"": func(t *rapid.T) {
				if len(taken) > limit || len(taken) != turns.taken || len(taken) < limit && len(waiting) > 0 {
					t.Fatalf("%d taken (%d by its own count) of %d, %d waiting", len(taken), turns.taken, limit, len(waiting))
				}
				if n := turns.lines[0].Len() + turns.lines[1].Len(); n != len(waiting) {
					t.Fatalf("%d in line, want %d", n, len(waiting))
				}
			},
		})
	})
}

func TestARevocationKeepsNobodyFromLookingAtARecord(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		looks, taken := new(Turns), -1
		p.start(func(s *Settings) {
			s.Looks = looks
			s.Resolve = func() (Inputs, error) {
				in, err := p.resolve()
				in.Revoke = func(context.Context, string) error {
					looks.mu.Lock()
					defer looks.mu.Unlock()
					taken = looks.taken
					return nil
				}
				return in, err
			}
		})
		if res := p.revoke(); !res.Revoked || taken != 0 {
			t.Errorf("%d looks were taken while the server was asked, want none; %+v", taken, res)
		}
	})
}

func TestATurnThatComesDuringARoundIsGivenBackAtTheLastStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3, 1)
		defer c.end()
		c.start(0)
		synctest.Wait() // it asks
		var hold chan struct{}
		p := c.members[1]
		stop := p.start(func(s *Settings) {
			s.Requests, s.MaxRequests = &c.turns, 1
			s.Resolve = func() (Inputs, error) {
				if hold != nil {
					<-hold // a slow disk
				}
				return p.resolve()
			}
		})
		synctest.Wait() // it stands in line
		hold = make(chan struct{})
		p.keeper.Recheck()
		synctest.Wait()
		time.Sleep(time.Second) // its turn comes
		go stop()
		synctest.Wait()
		close(hold)
		synctest.Wait()
		c.start(2)
		time.Sleep(time.Hour)
		if asked := c.requests(); len(asked) < 2 || asked[1] != 2 {
			t.Errorf("%v asked, want the third too", asked)
		}
	})
}

func TestATurnThatComesInLineForALookIsGivenBackAtTheLastStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 1)
		defer c.end() // which looks at the turns
		c.start(0)
		synctest.Wait()
		stop := c.start(1)
		synctest.Wait()
		for range maxLooks {
			own, _ := c.looks.take(maxLooks, false, nil)
			defer own.end()
		}
		c.members[1].keeper.Recheck()
		synctest.Wait()
		time.Sleep(time.Second)
		stop()
	})
}

func TestTheFirstRetryAfterALostAnswerDoesNotStandInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 1)
		defer c.end()
		p, other := c.members[0], c.members[1]
		p.rig.server.grace = 10 * time.Second // forgives a repeated token for so long
		p.rig.server.next = func(n int) fault {
			if n > 1 {
				return fault{}
			}
			lost := answerUnanswered()
			return fault{answer: &lost, commit: true}
		}
		c.start(0)
		other.start(func(s *Settings) {
			s.Requests, s.MaxRequests = &c.turns, 1
			s.Resolve = func() (Inputs, error) {
				in, err := other.resolve()
				in.Ask = func(ctx context.Context, _ Request) tokenendpoint.Answer {
					<-ctx.Done()
					return answerNotSent(tokenendpoint.CauseUnreachable)
				}
				return in, err
			}
		})
		time.Sleep(5 * time.Minute)
		p.rig.wantState(p, StateOK, "")
	})
}
