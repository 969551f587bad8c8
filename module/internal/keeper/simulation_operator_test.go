package keeper

import (
	"context"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/record"
)

// reload starts another configuration in a process and stops one of the two:
// the old one, or the new one that something else in it made fail.
func (s *simulation) reload() string {
	p := pick(s.chance, s.alive()...)
	p.mu.Lock()
	old := p.stops[0]
	p.mu.Unlock()
	fresh := p.start(s.settings, p.inTurn, s.revocable(p))
	fails := s.chance.IntN(4) == 0
	ends := old
	p.mu.Lock()
	if fails {
		ends = fresh
		p.stops = slices.Delete(p.stops, len(p.stops)-1, len(p.stops))
	} else {
		p.stops = slices.Delete(p.stops, 0, 1)
	}
	p.mu.Unlock()
	d := s.upTo(time.Minute)
	s.loose.Go(func() {
		time.Sleep(d)
		ends()
	})
	return fmt.Sprintf(" in %s, the new one fails: %v", p.name(), fails)
}

func (s *simulation) addHolder() string {
	if len(s.alive()) > 2 {
		return ": not a fourth one"
	}
	s.bootHolder()
	return ""
}

// stopOne stops a process in good order. Its last request may end after another
// process has started.
func (s *simulation) stopOne() string {
	p := pick(s.chance, s.alive()...)
	s.loose.Go(func() {
		p.halt()
		if p.keeper.Status().Unsaved && s.soundFor(0) && !p.dead.Load() {
			s.wrong("%s stopped without writing what it could have written", p.name())
		}
	})
	synctest.Wait() // before an operator turns to it at this moment
	return ": " + p.name()
}

func (s *simulation) oldSeed() string {
	s.server.mu.Lock()
	n := 1 + s.chance.IntN(s.server.serial)
	seed := fmt.Sprintf("secret-seed-%d", n)
	known := s.server.grants[seed] != nil && s.disk.everSaved(seed)
	s.server.mu.Unlock()
	if !known {
		return ": there is none"
	}
	s.change(func() { s.seed = seed })
	return ": " + seed
}

func (s *simulation) changeScope() string {
	scope := pick[record.Fingerprint](s.chance, 11, 12, 13)
	s.change(func() { s.binding.Request = scope })
	return ": " + scope.String()
}

func (s *simulation) revokeGrant() string {
	token := s.disk.stored().RefreshToken
	s.server.revoke(token)
	return ": that of " + token
}

// orderRefresh orders a refresh, of a lost grant too.
func (s *simulation) orderRefresh() string { return s.orderRefreshIn(pick(s.chance, s.alive()...)) }

func (s *simulation) orderRefreshIn(p *machine) string {
	// A record that cannot be read at the moment hides the loss in it.
	if stored := s.disk.stored(); stored.Lost != nil || p.keeper.Status().State == StateGrantLost {
		s.book.Lock()
		s.revived[stored.RefreshToken] = true
		if refused := stored.rec.Refused(s.binding.Grant); refused != nil {
			s.revived[refused.RefreshToken] = true
		}
		s.book.Unlock()
	}
	force := s.chance.IntN(2) == 0
	s.loose.Go(func() {
		s.heardBack(p, func() (Result, error) { return p.keeper.Refresh(context.Background(), force) })
	})
	synctest.Wait() // before anything else happens at this moment
	return fmt.Sprintf(" in %s, force %v", p.name(), force)
}

// orderImport logs in and hands the new refresh token to a process.
func (s *simulation) orderImport(p *machine) string {
	token := s.server.login()
	s.loose.Go(func() {
		s.heardBack(p, func() (Result, error) { return p.keeper.Import(context.Background(), token, true) })
	})
	synctest.Wait()
	return fmt.Sprintf(" in %s: %s", p.name(), token)
}

// heardBack checks that whoever gives an order is told what became of it.
func (s *simulation) heardBack(p *machine, order func() (Result, error)) {
	r, err := order()
	if err != nil {
		s.wrong("the order has no outcome: %v", err)
	}
	s.note("%s reports: obtained %v, %s", p.name(), r.Obtained, r.Trouble.Cause)
	if r.Obtained == (r.Trouble.Cause != "") && !p.dead.Load() {
		s.wrong("%s reports neither a token nor trouble, or both: %+v", p.name(), r)
	}
}

// use sends a request with a token, as the proxy does.
func (s *simulation) use(p *machine) {
	pass, err := p.keeper.Acquire(context.Background(), 10*time.Second, true)
	if err != nil || p.dead.Load() {
		return
	}
	s.checkToken(p, pass.Token)
	time.Sleep(30*time.Millisecond + time.Duration(p.number)*time.Microsecond)
	accepted := s.server.accepts(pass.Token.AccessToken)
	p.keeper.Answered(pass)
	if accepted {
		p.keeper.Accepted(pass.Token)
		return
	}
	verdict := p.keeper.Unauthorized(context.Background(), pass.Token, 10*time.Second)
	if verdict == Final || p.dead.Load() {
		return
	}
	again := p.keeper.Current()
	if again == nil {
		return
	}
	if again.Generation <= pass.Token.Generation {
		s.wrong("%s has no newer token after verdict %v", p.name(), verdict)
	}
	if s.server.accepts(again.AccessToken) {
		p.keeper.Accepted(again)
	}
}
