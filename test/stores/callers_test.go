package stores

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"
)

// callers call each replica as applications do, all the time, with requests that can be sent
// again. They tell what failed by what happened then.
type callers struct {
	stop   chan struct{}
	done   sync.WaitGroup
	stalls *stalls

	mu        sync.Mutex
	fault     string          // what happens now, "" if nothing does
	turn      int             // counts changes of that
	victims   map[string]bool // who does not answer because of it
	answered  int
	kept      map[string]int // failed at the victims, by fault
	elsewhere map[string]int // … and at others
	failures  []string       // without any fault
}

// settled is how long before a request a stall of the machine may be what it fails for: the
// token that it finds should have been replaced in that time.
const settled = 2 * time.Second

// every is the pause between two requests of one caller.
const every = 100 * time.Millisecond

func newCallers(t *testing.T, replicas ...*replica) *callers {
	l := &callers{stop: make(chan struct{}), stalls: &stalls{from: time.Now()}, kept: make(map[string]int), elsewhere: make(map[string]int)}
	write := writing(t.TempDir())
	l.done.Go(func() { l.stalls.watch(l.stop, write) })
	for _, r := range replicas {
		l.add(r)
	}
	t.Cleanup(l.end)
	return l
}

// add has a replica called from now on, until stop is.
func (l *callers) add(r *replica) (stop func()) {
	ended := make(chan struct{})
	name, address := r.name, r.Address
	l.done.Go(func() {
		client := &http.Client{Transport: &http.Transport{}, Timeout: 12 * time.Second}
		defer client.CloseIdleConnections()
		for {
			select {
			case <-l.stop:
				return
			case <-ended:
				return
			case <-time.After(every):
				l.call(client, name, address)
			}
		}
	})
	return sync.OnceFunc(func() { close(ended) })
}

func (l *callers) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.done.Wait()
}

func (l *callers) call(client *http.Client, name, address string) {
	l.mu.Lock()
	fault, turn, victim := l.fault, l.turn, l.victims[name]
	l.mu.Unlock()
	begun := time.Now()
	_, err := get(client, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	if fault == "" {
		fault = l.fault
	}
	switch {
	case err == nil:
		l.answered++
	case fault == "" && turn == l.turn && l.stalls.since(begun.Add(-settled)):
		l.kept["stall of the machine"]++
	case fault == "" && turn == l.turn:
		l.failures = append(l.failures, fmt.Sprintf("%s %s, after %s: %v", begun.Format("15:04:05.000"), name, time.Since(begun), err))
	case victim || l.victims[name]:
		l.kept[fault]++
	default:
		l.elsewhere[fault]++
	}
}

// get makes one request, and returns the generation of the token that it went out with.
func get(client *http.Client, address string) (generation int, err error) {
	res, err := client.Get("http://" + address + "/orders")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var answer struct {
		Generation int
		Detail     string
	}
	err = json.NewDecoder(res.Body).Decode(&answer)
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", res.Status, answer.Detail)
	}
	return answer.Generation, err
}

// during says what happens from now on, and to whom.
func (l *callers) during(fault string, victims ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault, l.victims = fault, make(map[string]bool)
	l.turn++
	for _, name := range victims {
		l.victims[name] = true
	}
}

// counted returns what was counted.
func (l *callers) counted() (answered int, kept, elsewhere map[string]int, failures []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered, maps.Clone(l.kept), maps.Clone(l.elsewhere), l.failures
}
