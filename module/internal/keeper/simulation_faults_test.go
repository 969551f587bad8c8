package keeper

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// weather is what goes wrong, until when. Guarded by simulation.book.
type weather struct {
	outage      func(draws *rand.Rand) fault // of the server
	outageUntil time.Time
	once        []fault // of the next requests

	save      error // what writes fail with
	saves     func(*record.Record) bool
	saveUntil time.Time
	load      error
	loadUntil time.Time

	revocation string // what becomes of the next one

	killIn int // the process that passes as many points is killed, if above 0
}

// strike lets one thing go wrong.
func (s *simulation) strike() {
	all, any := 0, slices.Concat(incidents, s.more)
	for _, i := range any {
		all += i.weight
	}
	n := s.chance.IntN(all)
	for _, i := range any {
		if n -= i.weight; n < 0 {
			s.note("fault: %s%s", i.name, i.happen(s))
			return
		}
	}
}

// incident is something that may go wrong; it returns what there is to say about it.
type incident struct {
	name   string
	weight int
	happen func(*simulation) string
}

var incidents = []incident{
	{"the token endpoint is out", 12, (*simulation).outage},
	{"the next answers are lost or late", 16, (*simulation).oddAnswers},
	{"a process is killed", 6, (*simulation).killOne},
	{"a process will be killed at a point", 10, (*simulation).killSoon},
	{"the wall clock is set", 6, (*simulation).setClock},
	{"the machine is suspended", 4, (*simulation).suspend},
	{"writes fail", 8, (*simulation).failSaves},
	{"reads fail", 4, (*simulation).failLoads},
	{"writes are slow", 3, (*simulation).slowSaves},
	{"another client asks", 4, (*simulation).takeTurn},
	{"the configuration is reloaded", 8, (*simulation).reload},
	{"another process starts", 6, (*simulation).addHolder},
	{"a process is stopped", 6, (*simulation).stopOne},
	{"a new seed beside a living grant", 3, func(s *simulation) string { s.newSeed(); return "" }},
	{"an operator refreshes", 4, (*simulation).orderRefresh},
	{"an operator imports beside a living grant", 3, func(s *simulation) string { return s.orderImport(pick(s.chance, s.alive()...)) }},
	{"an operator revokes", 2, (*simulation).orderRevoke},
	{"an old seed comes back", 2, (*simulation).oldSeed},
	{"the scope changes", 2, (*simulation).changeScope},
	{"the access token is revoked", 4, func(s *simulation) string { s.server.revokeAccess(); return "" }},
	{"the grant is revoked", 1, (*simulation).revokeGrant},
}

func (s *simulation) outage() string {
	var kind string
	kind, f := pickFault(s.chance, map[string]fault{
		"no connection": notSent(), "no answer": dropBefore(), "hangs": {before: time.Hour},
		"503": unavailable(503, 0), "429": unavailable(429, 4*time.Minute), "401": misconfigured(),
	}, "no connection", "no answer", "hangs", "503", "429", "401")
	d := s.upTo(3 * time.Hour)
	if kind == "hangs" {
		f.answer = dropBefore().answer // it never acts
	}
	s.edit(func(w *weather) {
		w.outage, w.outageUntil = func(*rand.Rand) fault { return f }, time.Now().Add(d)
	})
	return fmt.Sprintf(" for %v: %s", d, kind)
}

func (s *simulation) oddAnswers() string {
	odd := map[string]fault{
		"lost before": dropBefore(), "lost after": dropAfter(), "cut off": truncated(), "not sent": notSent(),
		"502 before": unavailable(502, 0), "502 after": badGateway(),
		"slow": {before: 7 * time.Second}, "late": {after: 2 * time.Minute},
		"twice, first": {twice: 1}, "twice, second": {twice: 2},
		"panic": {panics: true},
	}
	said := ""
	for range 1 + s.chance.IntN(3) {
		kind, f := pickFault(s.chance, odd,
			"lost before", "lost before", "cut off", "cut off", "not sent", "502 before", "502 before", "slow", "slow",
			"lost after", "502 after", "late", "twice, first", "twice, second", "panic")
		said += "; " + kind
		s.edit(func(w *weather) { w.once = append(w.once, f) })
	}
	return said
}

func pickFault(draws *rand.Rand, of map[string]fault, names ...string) (string, fault) {
	name := pick(draws, names...)
	return name, of[name]
}

// requestFault is the server's weather.
func (s *simulation) requestFault(int) (f fault) {
	s.edit(func(w *weather) {
		switch {
		case len(w.once) > 0:
			f, w.once = w.once[0], w.once[1:]
		case time.Now().Before(w.outageUntil):
			f = w.outage(nil)
		}
	})
	return f
}

func (s *simulation) killOne() string {
	p := pick(s.chance, s.alive()...)
	p.kill()
	return ": " + p.name()
}

func (s *simulation) killSoon() string {
	n := 1 + s.chance.IntN(14)
	s.edit(func(w *weather) { w.killIn = n })
	return fmt.Sprintf(" (%d)", n)
}

// passing is called at every point of a refresh where a process may die.
func (s *simulation) passing(p *machine, point string) {
	s.check(p)
	kill := false
	s.edit(func(w *weather) {
		w.killIn--
		kill = w.killIn == 0
	})
	if kill {
		s.note("%s is killed %s", p.name(), point)
		p.kill()
	}
}

func (s *simulation) setClock() string {
	d := pick(s.chance, time.Hour, -time.Hour, -s.skew, time.Duration(s.chance.IntN(120)-60)*time.Second)
	if d < 0 {
		s.book.Lock()
		s.setBack = time.Now()
		s.book.Unlock()
	}
	s.stepClock(d)
	return fmt.Sprintf(" by %v", d)
}

func (s *simulation) suspend() string {
	d := s.upTo(8 * time.Hour)
	s.stepClock(d)
	s.server.mu.Lock()
	s.server.shift += d
	s.server.mu.Unlock()
	return fmt.Sprintf(" for %v", d)
}

func (s *simulation) failSaves() string {
	d := s.upTo(3 * time.Hour)
	err := pick(s.chance, errFull, errReadOnly, errInDoubt)
	which := s.chance.IntN(3)
	s.edit(func(w *weather) {
		w.save, w.saveUntil = err, time.Now().Add(d)
		w.saves = []func(*record.Record) bool{anything, journals, answers}[which]
	})
	s.unhealthyUntil(d)
	return fmt.Sprintf(" for %v: %v (%d)", d, err, which)
}

func (s *simulation) saveFault(rec *record.Record) (err error) {
	s.edit(func(w *weather) {
		if time.Now().Before(w.saveUntil) && w.saves(rec) {
			err = w.save
		}
	})
	return err
}

func (s *simulation) failLoads() string {
	d := s.upTo(time.Hour)
	err := pick(s.chance, errBroken, recordstore.ErrUnreadable)
	s.edit(func(w *weather) { w.load, w.loadUntil = err, time.Now().Add(d) })
	s.unhealthyUntil(d)
	return fmt.Sprintf(" for %v: %v", d, err)
}

func (s *simulation) loadFault() (err error) {
	s.edit(func(w *weather) {
		if time.Now().Before(w.loadUntil) {
			err = w.load
		}
	})
	return err
}

func (s *simulation) unhealthyUntil(d time.Duration) {
	s.book.Lock()
	defer s.book.Unlock()
	if until := time.Now().Add(d); until.After(s.healthy) {
		s.healthy = until
	}
}

func (s *simulation) slowSaves() string {
	d := time.Duration(s.chance.IntN(4)) * time.Second
	s.disk.faults(func() { s.disk.slow = d })
	return fmt.Sprintf(": %v", d)
}

// takeTurn lets another client of a process ask the same authorization server.
func (s *simulation) takeTurn() string {
	p, d := pick(s.chance, s.alive()...), s.upTo(time.Minute)
	one, _ := p.turns.take(1, false, func(one *turn) {
		s.loose.Go(func() { time.Sleep(d); one.end() })
	})
	s.loose.Go(func() { time.Sleep(d); one.end() })
	return fmt.Sprintf(": of %s, for %v", p.name(), d)
}

// clear ends everything that goes wrong.
func (s *simulation) clear() {
	s.edit(func(w *weather) { *w = weather{} })
	if s.heal != nil {
		s.heal()
	}
	s.disk.faults(func() { s.disk.slow = 0 })
	s.book.Lock()
	s.healthy = time.Now()
	s.book.Unlock()
}

func (s *simulation) edit(change func(w *weather)) {
	s.book.Lock()
	defer s.book.Unlock()
	change(&s.weather)
}
