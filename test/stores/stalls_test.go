package stores

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// hiccup is how long a small write to the disk may take. A rotation is six or more of them,
// one after the other, and has 600 ms with the lifetime of these tests.
const hiccup = 100 * time.Millisecond

// stalls notices when the machine itself does nothing for a while: nobody serves and stores
// then, and that is no fault of who is tested.
type stalls struct {
	mu   sync.Mutex
	from time.Time // when the write began that is under way
	last time.Time // until when the last stall was
}

// watch writes to the disk all the time, until stop is closed.
func (s *stalls) watch(stop <-chan struct{}, write func()) {
	for {
		write()
		s.wrote(time.Now())
		select {
		case <-stop:
			return
		default:
		}
	}
}

// writing returns what makes a small write to a folder, after a pause.
func writing(dir string) (write func()) {
	path := filepath.Join(dir, "write")
	return func() {
		time.Sleep(hiccup / 5)
		f, err := os.Create(path)
		if err != nil {
			return
		}
		_, _ = f.WriteString("x")
		_ = f.Sync()
		_ = f.Close()
	}
}

func (s *stalls) wrote(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.from) > hiccup {
		s.last = now
	}
	s.from = now
}

// since reports whether there was one since then, or is one now.
func (s *stalls) since(then time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.After(then) || time.Since(s.from) > hiccup
}

func TestAStallIsNoticedWhileItLastsAndAfterIt(t *testing.T) {
	stop, begun, goOn := make(chan struct{}), make(chan struct{}, 10), make(chan struct{})
	now := time.Now()
	s := &stalls{from: now}
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(stop, func() { begun <- struct{}{}; <-goOn }) })
	<-begun
	time.Sleep(2 * hiccup)
	if !s.since(now) {
		t.Error("nothing is noticed while it lasts")
	}
	goOn <- struct{}{}
	<-begun
	if !s.since(now) || s.since(time.Now().Add(time.Hour)) {
		t.Error("when it was is not known")
	}
	close(stop)
	close(goOn)
	watching.Wait()
}
