package keeper

import (
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
)

// revocable gives a configuration a revocation endpoint.
func (s *simulation) revocable(p *machine) func(*Settings) {
	return func(set *Settings) {
		resolve := set.Resolve
		set.Resolve = func() (Inputs, error) {
			in, err := resolve()
			in.Revoke = func(ctx context.Context, token string) error { return s.revocation(ctx, p, token) }
			return in, err
		}
	}
}

// orderRevoke orders the end of the grant. The server does it, does not do it, or
// does it and its answer is lost.
func (s *simulation) orderRevoke() string {
	p := pick(s.chance, s.alive()...)
	becomes := pick(s.chance, "done", "done", "refused", "answer lost", "hangs")
	s.edit(func(w *weather) { w.revocation = becomes })
	s.loose.Go(func() {
		s.heardBack(p, func() (Result, error) {
			r, err := p.keeper.Revoke(context.Background())
			if r.Revoked {
				s.checkRevoked(p, r)
			}
			return r, err
		})
	})
	synctest.Wait()
	return fmt.Sprintf(" in %s: %s", p.name(), becomes)
}

// revocation is the revocation endpoint. A request counts as a token request:
// nobody may exchange the refresh token meanwhile.
func (s *simulation) revocation(ctx context.Context, p *machine, token string) error {
	s.note("%s revokes %s", p.name(), token)
	if p.dead.Load() {
		return errDead
	}
	if stored := s.disk.stored(); stored.Lost != nil && stored.RefreshToken == token && !p.keeper.Status().Unsaved {
		s.wrong("%s revokes %s, which the record says is lost", p.name(), token)
	}
	s.server.edit(func(server *server) {
		server.inFlight++
		server.busiest = max(server.busiest, server.inFlight)
	})
	p.asking.Store(true)
	defer p.answered()
	becomes := ""
	s.edit(func(w *weather) { becomes, w.revocation = w.revocation, "" })
	latency := 70*time.Millisecond + time.Duration(p.number)*time.Microsecond
	if becomes == "hangs" {
		latency = time.Hour
	}
	if !pass(ctx, latency) {
		return ctx.Err()
	}
	if becomes != "refused" {
		s.server.revoke(token)
	}
	switch {
	case p.dead.Load():
		return errDead
	case becomes == "refused", becomes == "answer lost":
		return errors.New(becomes)
	}
	p.mu.Lock()
	p.known[token] = true
	p.mu.Unlock()
	s.book.Lock()
	defer s.book.Unlock()
	s.revoked[token], s.lastRevoked = true, time.Now()
	return nil
}

// checkRevoked checks what an operator relies on who was told that the grant has
// ended: it is not used any more, here or after a restart.
func (s *simulation) checkRevoked(p *machine, r Result) {
	if p.dead.Load() {
		return
	}
	if r.Obtained || r.Status.State != StateGrantLost || r.Trouble.Cause != finding.CauseRevoked || r.Status.Token != "none" {
		s.wrong("%s reports that the grant is revoked, and goes on: %+v", p.name(), r)
	}
	stored := s.disk.stored()
	s.book.Lock()
	revoked := s.revoked[stored.RefreshToken]
	s.book.Unlock()
	if revoked && !r.Status.Unsaved && (stored.Lost == nil || stored.Token != nil) {
		s.wrong("%s reports that the grant is revoked, and the record does not say so", p.name())
	}
}

// checkNoticed checks that a process does not go on with the token of a grant
// that another one revoked, for longer than it may take to notice.
func (s *simulation) checkNoticed(p *machine, st Status) {
	s.book.Lock()
	since := time.Since(s.lastRevoked)
	s.book.Unlock()
	if since > time.Minute && s.soundFor(time.Minute) {
		s.wrong("%s uses a token of a grant that was revoked %v ago: %+v", p.name(), since, st)
	}
}
