package keeper

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A simulation is a month of a client's life in which everything goes wrong
// that one number says: the same number, the same history. Its month takes less
// than a second.
//
//	LAMPLIGHTER_SEED=17     replays one, and with -v prints its history
//	LAMPLIGHTER_SEEDS=5000  runs more of them
const (
	seedVariable  = "LAMPLIGHTER_SEED"
	seedsVariable = "LAMPLIGHTER_SEEDS"
	month         = 30 * 24 * time.Hour
)

func TestNoHistoryOfFaultsLosesTheGrant(t *testing.T) {
	if only, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64); err == nil {
		simulate(t, only)
		return
	}
	count, err := strconv.ParseUint(os.Getenv(seedsVariable), 10, 64)
	if err != nil {
		count = 200
	}
	for number := range count {
		t.Run(strconv.FormatUint(number, 10), func(t *testing.T) {
			t.Parallel()
			simulate(t, number)
		})
	}
}

func TestASimulationRepeatsItself(t *testing.T) {
	for number := range uint64(3) {
		first, second := simulate(t, number), simulate(t, number)
		for _, history := range [][]string{first, second} {
			for i, line := range history {
				// Of an order and a stop at one moment either may come first.
				history[i], _, _ = strings.Cut(line, "obtained false")
			}
			slices.Sort(history) // what happens at one moment has no order
		}
		for i := range min(len(first), len(second)) {
			if first[i] != second[i] {
				t.Fatalf("seed %d, event %d: %q, then %q", number, i, first[i], second[i])
			}
		}
		if len(first) != len(second) {
			t.Fatalf("seed %d: %d events, then %d", number, len(first), len(second))
		}
	}
}

type simulation struct {
	*rig
	chance  *rand.Rand // of the driver, which is one goroutine
	number  uint64
	began   time.Time
	holders []*machine // those that run
	lasts   time.Duration
	equip   func(*machine) // gives one that starts another store, nil for the usual one
	more    []incident     // that may happen besides
	heal    func()         // ends them, nil if there are none
	loose   sync.WaitGroup // what the driver does not wait for

	book        sync.Mutex // guards what follows
	history     []string
	failed      bool
	weather     weather
	revived     map[string]bool // refresh tokens that an operator had presented once more
	revoked     map[string]bool // … and that the server said it has revoked
	lastRevoked time.Time

	healthy time.Time // since when the store accepts everything
	setBack time.Time // when the wall clock was last set back
}

func simulate(t *testing.T, number uint64) (history []string) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, number)
		defer func() {
			if history = s.history; t.Failed() {
				t.Logf("the end of the history of seed %d (%s=%d replays it):\n%s", number, seedVariable, number,
					strings.Join(history[max(0, len(history)-60):], "\n"))
			}
		}()
		defer s.end()
		s.live()
		s.loose.Wait()
	})
	return history
}

// newSimulation draws what kind of server it is.
func newSimulation(t *testing.T, number uint64) *simulation {
	s := &simulation{rig: newRig(t), chance: rand.New(rand.NewPCG(number, 2)), number: number, lasts: month, began: time.Now(), healthy: time.Now(), revived: make(map[string]bool), revoked: make(map[string]bool)}
	draws := s.chance
	s.disk.unlogged = true
	s.server.lifetime = pick(draws, 2*time.Hour, 6*time.Hour, 12*time.Hour)
	s.server.strict = pick(draws, true, true, false)
	s.server.revokes = pick(draws, true, false)
	s.server.grace = pick(draws, 0, 0, 10*time.Second, time.Minute, time.Hour)
	s.server.next, s.server.onSent = s.requestFault, s.checkRequest
	s.disk.onSave, s.disk.onLoad, s.disk.hook = s.saveFault, s.loadFault, s.passing
	s.note("lifetime %v, strict %v, revokes %v, grace %v", s.server.lifetime, s.server.strict, s.server.revokes, s.server.grace)
	return s
}

// live is the driver: from time to time it lets something go wrong, uses the
// tokens, and does what an operator does.
func (s *simulation) live() {
	const between = 5 * 24 * time.Hour
	s.bootHolder()
	for quiet := s.began.Add(between); time.Since(s.began) < s.lasts && !s.over(); {
		time.Sleep(s.upTo(2 * time.Hour))
		synctest.Wait()
		if len(s.alive()) == 0 {
			s.bootHolder()
		}
		if s.chance.IntN(8) == 0 && len(s.alive()) > 0 {
			s.strike()
		}
		s.operate(s.chance.IntN(5) == 0)
		s.useAll()
		if time.Now().After(quiet) {
			s.calm()
			quiet = quiet.Add(between)
		}
	}
	if !s.over() {
		s.calm()
	}
}

// useAll lets every process tick, and send a request.
func (s *simulation) useAll() {
	for _, p := range s.alive() {
		p.keeper.Tick()
		s.loose.Go(func() { s.use(p) })
		synctest.Wait()
		s.check(p)
	}
}

// calm ends all faults; soon everything must be well.
func (s *simulation) calm() {
	s.note("calm")
	s.clear()
	if len(s.alive()) == 0 {
		s.bootHolder()
	}
	for minutes := 0; minutes < 20; minutes++ {
		s.useAll()
		time.Sleep(time.Minute + s.trifle())
		synctest.Wait()
		if s.operate(true) {
			minutes = 0 // the grant was lost before, and nobody had noticed
		}
		s.askAgain()
	}
	if !s.allWell() {
		time.Sleep(time.Minute) // a refresh may just have begun
	}
	for _, p := range s.alive() {
		if !s.well(p) {
			s.wrong("%s is not well 20 minutes after the last fault: %+v", p.name(), p.keeper.Status())
		}
	}
}

func (s *simulation) allWell() bool {
	return !slices.ContainsFunc(s.alive(), func(p *machine) bool { return !s.well(p) })
}

// well reports whether a process has a token that works. One that an upstream
// refuses although it was obtained because of such a refusal is not replaced.
func (s *simulation) well(p *machine) bool {
	t := p.keeper.Current()
	return p.keeper.Status().State == StateOK && t != nil &&
		(s.server.accepts(t.AccessToken) || p.keeper.unconfirmed.Load() == t.Generation)
}

// operate does what people do about a lost grant: they log in again.
func (s *simulation) operate(now bool) (done bool) {
	for _, p := range s.alive() {
		if now && p.keeper.Status().State == StateGrantLost {
			if s.chance.IntN(2) == 0 {
				s.newSeed()
			} else {
				s.note("an operator imports%s", s.orderImport(p))
			}
			return true
		}
	}
	return false
}

// askAgain does what people do who have corrected what a server complained of
// when they ordered a refresh: while the token is valid nothing else is planned.
func (s *simulation) askAgain() {
	for _, p := range s.alive() {
		if st := p.keeper.Status(); st.State == StateMisconfigured && st.Token == "valid" {
			s.note("an operator refreshes%s", s.orderRefreshIn(p))
		}
	}
}

func (s *simulation) newSeed() {
	seed := s.server.login()
	s.note("a human logs in: %s", seed)
	s.change(func() { s.seed = seed })
}

func (s *simulation) bootHolder() {
	s.note("%s starts", fmt.Sprintf("process-%02d", len(s.processes)))
	p := s.newProcess()
	if s.equip != nil {
		s.equip(p)
	}
	p.keeper.draw = s.jitter(p)
	p.onTell = func(e Event) { s.hear(p, e) }
	p.start(s.settings, p.inTurn, s.revocable(p))
	s.holders = append(s.holders, p)
	synctest.Wait()
}

func (s *simulation) jitter(p *machine) func() float64 {
	return rand.New(rand.NewPCG(s.number, uint64(10+p.number))).Float64
}

// settings are those that the server requires, and others by chance.
func (s *simulation) settings(set *Settings) {
	set.Drain, set.Quiesce = s.server.strict, 2*time.Second
	set.Timeout = pick(s.chance, 10*time.Second, 30*time.Second)
	set.RefreshWindowRatio = pick(s.chance, 1.0/3, 0.1, 0.5)
}

// alive returns the processes that run.
func (s *simulation) alive() []*machine {
	s.holders = slices.DeleteFunc(s.holders, func(p *machine) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.stops) == 0 || p.dead.Load()
	})
	return slices.Clone(s.holders)
}

func (s *simulation) note(format string, values ...any) {
	s.book.Lock()
	defer s.book.Unlock()
	line := fmt.Sprintf("%12v  ", time.Since(s.began).Round(time.Millisecond)) + fmt.Sprintf(format, values...)
	s.history = append(s.history, line)
	if os.Getenv(seedVariable) != "" {
		s.Log(line) // now: a simulation that hangs has no end
	}
}

// wrong reports a broken promise, and ends the simulation.
func (s *simulation) wrong(format string, values ...any) {
	s.note("WRONG: "+format, values...)
	s.book.Lock()
	defer s.book.Unlock()
	if !s.failed {
		s.Errorf(format, values...)
	}
	s.failed = true
}

func (s *simulation) over() bool {
	s.book.Lock()
	defer s.book.Unlock()
	return s.failed
}

// upTo draws a duration between a second and a limit: as often up to ten
// seconds as from six minutes to an hour.
func (s *simulation) upTo(limit time.Duration) time.Duration {
	return time.Duration(float64(time.Second)*math.Pow(limit.Seconds(), s.chance.Float64())) + s.trifle()
}

// trifle keeps two things from happening at the very same moment.
func (s *simulation) trifle() time.Duration { return time.Duration(s.chance.IntN(1e6)) }

func pick[T any](draws *rand.Rand, of ...T) T { return of[draws.IntN(len(of))] }
