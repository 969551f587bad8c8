package keeper

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const herd = 10_000

func TestAHerdAtAColdStartMakesOneTokenRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.latency = 3 * time.Second
		p := r.newProcess()
		var requests sync.WaitGroup
		for range herd {
			requests.Go(func() {
				if _, err := p.keeper.Acquire(t.Context(), 10*time.Second, true); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := p.keeper.Waiting(); n != herd {
			t.Errorf("%d requests wait, want %d", n, herd)
		}
		begin := time.Now()
		p.start(drain)
		requests.Wait()
		// In a bubble only waiting takes time: nobody waits for anything but the answer.
		if took := time.Since(begin); took != 10*time.Millisecond+3*time.Second {
			t.Errorf("answered after %s, want as soon as the token endpoint answers", took)
		}
		r.wantRequests(1)
	})
}

// BenchmarkHerd is how long after the answer of the token endpoint the last of
// 10,000 waiting requests goes on: release-ms.
func BenchmarkHerd(b *testing.B) {
	var last time.Duration
	for b.Loop() {
		k := New("erp", nil, nil)
		var requests sync.WaitGroup
		for range herd {
			requests.Go(func() {
				if _, err := k.Acquire(b.Context(), time.Minute, false); err != nil {
					b.Error(err)
				}
			})
		}
		for k.Waiting() < herd {
			time.Sleep(time.Millisecond)
		}
		begin := time.Now()
		k.mu.Lock()
		k.current.Store(&Token{Generation: 1, expires: k.now().At().Add(time.Hour)})
		k.broadcast()
		k.mu.Unlock()
		requests.Wait()
		last += time.Since(begin)
	}
	b.ReportMetric(float64(last.Milliseconds())/float64(b.N), "release-ms")
}
