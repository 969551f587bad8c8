package tokenfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lamplighter/module/inject"
	"lamplighter/module/internal/keeper"
)

// memory is a place in memory, whose faults a test chooses.
type memory struct {
	mu      sync.Mutex
	content []byte // nil for no file
	writes  int
	fails   error
	hangs   chan struct{} // a write waits until it is closed
	mode    bool          // somebody has changed the mode
}

func (m *memory) read() ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.content == nil {
		return nil, false, fs.ErrNotExist
	}
	return slices.Clone(m.content), m.mode, nil
}

func (m *memory) write(content []byte, still func() bool) error {
	m.mu.Lock()
	hangs, fails := m.hangs, m.fails
	m.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	if fails != nil {
		return fails
	}
	if !still() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.content, m.mode = append([]byte{}, content...), false
	m.writes++
	return nil
}

func (m *memory) tidy() {}

func (m *memory) edit(edit func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit()
}

// tokens are a source.
type tokens struct {
	mu      sync.Mutex
	token   *keeper.Token
	changed chan struct{}
	looked  bool
}

func (s *tokens) Current() *keeper.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil || !time.Now().Before(s.token.ExpiresAt) {
		return nil
	}
	return s.token
}

func (s *tokens) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *tokens) Looked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looked
}

func (s *tokens) set(edit func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// obtain is a new token.
func (s *tokens) obtain(generation uint64, lifetime time.Duration) {
	s.set(func() {
		s.looked = true
		s.token = &keeper.Token{Generation: generation, AccessToken: fmt.Sprint("token-", generation), ExpiresAt: time.Now().Add(lifetime)}
	})
}

// kept is a file that is kept, in memory.
type kept struct {
	*testing.T
	*memory
	*tokens
	file *Compiled

	tell sync.Mutex
	told []State
}

func keep(t *testing.T, test func(k *kept)) {
	synctest.Test(t, func(t *testing.T) {
		in, err := inject.Compile(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		files, err := Compile([]File{{Path: "/run/test/" + t.Name()}}, in)
		if err != nil {
			t.Fatal(err)
		}
		test(&kept{T: t, memory: new(memory), tokens: new(tokens), file: files[0]})
	})
}

// files returns the file of a configuration that has started.
func (k *kept) files() *Files {
	f := &Files{client: "erp"}
	f.writers = []*writer{newWriter(k.file, "erp", k.memory, func(s State, _ bool) {
		k.tell.Lock()
		defer k.tell.Unlock()
		k.told = append(k.told, s)
	})}
	f.Start(k.tokens)
	synctest.Wait()
	return f
}

// holds checks what is in the file now; "-" for no file.
func (k *kept) holds(want string) {
	k.Helper()
	synctest.Wait()
	content, _, err := k.read()
	if got := string(content); err != nil && want != "-" || err == nil && got != want {
		k.Errorf("the file holds %q, %v, want %q", got, err, want)
	}
}

// causes are those of the trouble that was told, "" for good news.
func (k *kept) causes() (list []string) {
	k.tell.Lock()
	defer k.tell.Unlock()
	for _, s := range k.told {
		cause := ""
		if s.Trouble != nil {
			cause = s.Trouble.Cause
		}
		list = append(list, cause)
	}
	return list
}

func TestATokenIsInTheFileAtOnceAndIsTakenOutWhenItEnds(t *testing.T) {
	keep(t, func(k *kept) {
		f := k.files()
		defer f.Stop()
		k.holds("") // there is none yet, and the file is there
		k.obtain(1, time.Hour)
		k.holds("token-1")
		k.obtain(2, time.Hour)
		k.holds("token-2")
		time.Sleep(time.Hour - time.Millisecond)
		k.holds("token-2")
		time.Sleep(tick + time.Millisecond)
		k.holds("")
		if s := f.States()[0]; s.Generation != 0 || s.Trouble != nil || s.WrittenAt.IsZero() {
			t.Errorf("%+v", s)
		}
		k.obtain(3, time.Hour)
		k.holds("token-3")
		if s := f.States()[0]; s.Generation != 3 {
			t.Errorf("%+v", s)
		}
		if k.writes != 5 {
			t.Errorf("written %d times", k.writes)
		}
	})
}

func TestARestartIsNoGapForWhoReadsTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		came   uint64 // the token that the record holds, 0 for none, after a second
		holds  string
		writes int
	}{"the same token": {1, "token-1", 0}, "another token": {2, "token-2", 1}, "no token": {0, "", 1}} {
		t.Run(name, func(t *testing.T) {
			keep(t, func(k *kept) {
				k.content = []byte("token-1")
				f := k.files()
				defer f.Stop()
				time.Sleep(time.Second)
				k.holds("token-1")
				if c.came > 0 {
					k.obtain(c.came, time.Hour)
				} else {
					k.set(func() { k.looked = true })
				}
				k.holds(c.holds)
				time.Sleep(time.Minute)
				if k.holds(c.holds); k.writes != c.writes {
					t.Errorf("written %d times, want %d", k.writes, c.writes)
				}
			})
		})
	}
}

func TestAnOldTokenDoesNotStayWhileNobodyKnowsOfAnother(t *testing.T) {
	keep(t, func(k *kept) {
		k.content = []byte("who knows whose")
		f := k.files()
		defer f.Stop()
		time.Sleep(startGrace - tick)
		k.holds("who knows whose")
		time.Sleep(2 * tick)
		k.holds("")
	})
}

func TestTheFileStaysAtTheEnd(t *testing.T) {
	keep(t, func(k *kept) {
		f := k.files()
		k.obtain(1, time.Hour)
		k.holds("token-1")
		f.Stop()
		f.Stop()
		time.Sleep(2 * time.Hour)
		k.holds("token-1")
	})
}

// The keeper waits at the end for an answer that is under way.
func TestATokenThatComesWithTheEndIsWritten(t *testing.T) {
	keep(t, func(k *kept) {
		k.edit(func() { k.hangs = make(chan struct{}) })
		f := k.files()
		synctest.Wait() // the first write is under way
		k.obtain(1, time.Hour)
		time.AfterFunc(time.Second, func() { close(k.hangs) })
		f.Stop()
		k.holds("token-1")
	})
}

func TestAFailureIsToldOnceAndTriedAgain(t *testing.T) {
	keep(t, func(k *kept) {
		f := k.files()
		defer f.Stop()
		k.obtain(1, 24*time.Hour)
		k.holds("token-1")
		k.edit(func() { k.fails = errors.New("no space left on device") })
		k.obtain(2, 24*time.Hour)
		k.holds("token-1")
		s := f.States()[0]
		if s.Trouble == nil || s.Trouble.Cause != CauseFailed || s.Trouble.Remedy == "" || s.Generation != 1 {
			t.Fatalf("%+v", s)
		}
		time.Sleep(59 * time.Minute)
		if got := k.causes(); !slices.Equal(got, []string{"", "", CauseFailed}) {
			t.Errorf("told %q", got)
		}
		time.Sleep(2 * time.Minute)
		if got := k.causes(); len(got) != 4 {
			t.Errorf("nobody is reminded after an hour: %q", got)
		}
		k.edit(func() { k.fails = nil })
		time.Sleep(retryMax)
		k.holds("token-2")
		if got := k.causes(); len(got) != 5 || got[4] != "" || f.States()[0].Trouble != nil {
			t.Errorf("told %q", got)
		}
	})
}

func TestAWriteThatHangsHoldsUpNothingAndPutsNothingThereLater(t *testing.T) {
	keep(t, func(k *kept) {
		f := k.files()
		k.obtain(1, time.Hour)
		k.holds("token-1")
		hangs := make(chan struct{})
		k.edit(func() { k.hangs = hangs })
		k.obtain(2, time.Hour)
		time.Sleep(deadline + time.Millisecond)
		if s := f.States()[0]; s.Trouble == nil || s.Trouble.Cause != CauseFailed {
			t.Fatalf("%+v", s)
		}
		began := time.Now()
		f.HandOver()(k.Context())
		if waited := time.Since(began); waited > 0 {
			t.Errorf("a hold waited %v for a file that cannot be written", waited)
		}
		f.Stop()
		if waited := time.Since(began); waited > deadline {
			t.Errorf("the end took %v", waited)
		}
		k.edit(func() { k.hangs, k.content = nil, []byte("another's") })
		close(hangs)
		k.holds("another's")
	})
}

func TestAFileThatHangsIsWrittenWhenItCanBe(t *testing.T) {
	keep(t, func(k *kept) {
		hangs := make(chan struct{})
		k.hangs = hangs
		f := k.files()
		defer f.Stop()
		time.Sleep(time.Minute)
		k.obtain(1, time.Hour)
		time.Sleep(time.Minute)
		k.edit(func() { k.hangs = nil })
		close(hangs)
		time.Sleep(retryMin)
		k.holds("token-1")
		if s := f.States()[0]; s.Trouble != nil {
			t.Errorf("%+v", s.Trouble)
		}
	})
}

func TestWhatSomebodyElseHasChangedIsWrittenAnewAndTold(t *testing.T) {
	for name, harm := range map[string]func(m *memory){
		"removed":           func(m *memory) { m.content = nil },
		"changed":           func(m *memory) { m.content = []byte("theirs") },
		"open to others":    func(m *memory) { m.mode = true },
		"emptied":           func(m *memory) { m.content = []byte{} },
		"longer than usual": func(m *memory) { m.content = append(m.content, '\n') },
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, func(k *kept) {
				f := k.files()
				defer f.Stop()
				k.obtain(1, time.Hour)
				k.holds("token-1")
				k.edit(func() { harm(k.memory) })
				time.Sleep(lookInterval)
				k.holds("token-1")
				if s := f.States()[0]; s.Trouble == nil || s.Trouble.Cause != CauseExposed || s.Trouble.Lasts() {
					t.Errorf("%+v", s)
				}
				time.Sleep(lookInterval)
				synctest.Wait()
				if s := f.States()[0]; s.Trouble != nil {
					t.Errorf("it does not pass: %+v", s.Trouble)
				}
				if got := k.causes(); !slices.Equal(got, []string{"", "", CauseExposed, ""}) {
					t.Errorf("told %q", got)
				}
			})
		})
	}
}

// Two instances with one path put their tokens there in turns.
func TestAnotherInstanceWithTheSamePathIsToldOfOnceAndShown(t *testing.T) {
	keep(t, func(k *kept) {
		f := k.files()
		defer f.Stop()
		k.obtain(1, 24*time.Hour)
		synctest.Wait()
		for range 100 {
			k.edit(func() { k.content = []byte("theirs") })
			time.Sleep(lookInterval)
			k.holds("token-1")
			if s := f.States()[0]; s.Trouble == nil || s.Trouble.Cause != CauseExposed {
				t.Fatalf("%+v", s)
			}
		}
		if got := k.causes(); !slices.Equal(got, []string{"", "", CauseExposed}) {
			t.Errorf("told %q", got)
		}
	})
}

func TestTheNewestConfigurationWritesAndTheOneBeforeIfThatEnds(t *testing.T) {
	keep(t, func(k *kept) {
		k.obtain(1, 24*time.Hour)
		before := k.files()
		defer before.Stop()
		k.holds("token-1")
		plain := k.file
		text, err := parseTemplate("new {access_token}")
		if err != nil {
			t.Fatal(err)
		}
		k.file = &Compiled{Path: plain.Path, Format: "template", text: text}
		after := k.files()
		k.holds("new token-1")
		k.obtain(2, 24*time.Hour)
		k.holds("new token-2")
		time.Sleep(time.Minute)
		k.holds("new token-2")
		after.Stop() // its start failed
		k.holds("token-2")
		k.obtain(3, 24*time.Hour)
		k.holds("token-3")
		if got := k.causes(); slices.ContainsFunc(got, func(cause string) bool { return cause != "" }) {
			t.Errorf("told %q", got)
		}
	})
}

func TestAHoldWaitsForTheFile(t *testing.T) {
	keep(t, func(k *kept) {
		k.obtain(1, time.Hour)
		f := k.files()
		defer f.Stop()
		synctest.Wait()
		hangs := make(chan struct{})
		k.edit(func() { k.hangs = hangs })
		k.obtain(2, time.Hour)
		time.AfterFunc(30*time.Millisecond, func() { close(hangs) })
		began := time.Now()
		f.HandOver()(k.Context())
		if took := time.Since(began); took != 30*time.Millisecond {
			t.Errorf("it waited %v", took)
		}
		k.holds("token-2")
		if f.HandOver()(k.Context()); time.Since(began) != 30*time.Millisecond {
			t.Error("it waits for a file that holds the token")
		}
		ctx, cancel := context.WithTimeout(k.Context(), 100*time.Millisecond)
		defer cancel()
		k.edit(func() { k.hangs = make(chan struct{}) })
		k.obtain(3, time.Hour)
		if f.HandOver()(ctx); time.Since(began) != 130*time.Millisecond {
			t.Errorf("it waited %v", time.Since(began))
		}
		close(k.hangs)
		if (*Files)(nil).HandOver() != nil {
			t.Error("a hold waits for no file")
		}
	})
}

// TestWhateverHappensTheFileIsRightInTheEnd lets tokens come and end, the disk fail, and
// others meddle.
func TestWhateverHappensTheFileIsRightInTheEnd(t *testing.T) {
	type step struct{ what, pause int }
	steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{rapid.IntRange(0, 8).Draw(r, "what"), rapid.IntRange(0, 15000).Draw(r, "ms")}
	}), 1, 30)
	rapid.Check(t, func(r *rapid.T) {
		history := steps.Draw(r, "history")
		keep(t, func(k *kept) {
			f := k.files()
			for i, s := range history {
				switch s.what {
				case 0, 1, 2:
					k.obtain(uint64(i), time.Duration(s.what+1)*20*time.Second)
				case 3:
					k.edit(func() { k.content = nil })
				case 4:
					k.edit(func() { k.content = []byte("theirs") })
				case 5:
					k.edit(func() { k.fails = errors.New("broken") })
				case 6:
					k.edit(func() { k.fails = nil })
				case 7:
					f.Stop()
					f = k.files()
				case 8:
					k.set(func() { k.token = nil })
				}
				time.Sleep(time.Duration(s.pause) * time.Millisecond)
			}
			k.edit(func() { k.fails = nil })
			time.Sleep(lookInterval + tick)
			want := ""
			if token := k.Current(); token != nil {
				want = token.AccessToken
			}
			k.holds(want)
			f.Stop()
		})
		if t.Failed() {
			r.FailNow()
		}
	})
}

// TestATokenThatTheFormatCannotShowLeavesNoOldOneInTheFile: what was there may have ended.
func TestATokenThatTheFormatCannotShowLeavesNoOldOneInTheFile(t *testing.T) {
	keep(t, func(k *kept) {
		f := k.files()
		defer f.Stop()
		k.obtain(1, time.Hour)
		k.holds("token-1")
		k.set(func() {
			k.token = &keeper.Token{Generation: 2, AccessToken: "two\nlines", ExpiresAt: time.Now().Add(time.Hour)}
		})
		k.holds("")
		if got := k.causes(); !slices.Equal(got, []string{"", "", CauseFailed}) {
			t.Errorf("told %q", got)
		}
		writes := k.writes
		time.Sleep(time.Minute)
		s := f.States()[0]
		if k.holds(""); k.writes != writes || s.Generation != 0 || s.Trouble == nil || !s.Trouble.Lasts() {
			t.Errorf("%d writes, not %d; %+v", k.writes, writes, s)
		}
		k.edit(func() { k.content = []byte("theirs") })
		time.Sleep(lookInterval + tick)
		k.holds("")
		k.obtain(3, time.Hour)
		k.holds("token-3")
		if got := f.States()[0]; got.Trouble != nil || got.Generation != 3 {
			t.Errorf("%+v", got)
		}
	})
}

func TestCompiledPathsAreClean(t *testing.T) {
	in, err := inject.Compile(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := Compile([]File{{Path: "/run/a/../b/token"}}, in)
	if err != nil || list[0].Path != filepath.FromSlash("/run/b/token") {
		t.Errorf("%+v, %v", list, err)
	}
}
