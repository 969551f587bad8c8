package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lamplighter/bench/program"
)

// measureSteady lets short-lived tokens be refreshed all the time.
func measureSteady(ctx context.Context, b *bench, one *restarts) ([]row, error) {
	size := pick(b, 1000, 20)
	busy, err := refreshing(ctx, b, "steady-busy", size, 3*time.Second, pick(b, 5*time.Second, 3*time.Second), pick(b, 20*time.Second, 3*time.Second))
	if err != nil {
		return nil, err
	}
	writes, err := durableWrites(filepath.Join(b.dir, "steady-writes"), pick(b, 3*time.Second, 200*time.Millisecond))
	if err != nil {
		return nil, err
	}
	const lifetime = 10 * time.Second
	even, err := refreshing(ctx, b, "steady-even", size, lifetime, pick(b, lifetime/2, time.Second), pick(b, 3*lifetime, lifetime))
	if err != nil {
		return nil, err
	}
	mean, deviation, most := evenness(even.each)
	what := thousands(size) + " clients: "
	b.note("A refresh writes its record twice: the journal before the request, the tokens after the answer. %s clients whose tokens live 3 s want %d refreshes a second.", thousands(size), size/2)
	return []row{
		{what: what + "refreshes per second, tokens live 3 s", baseline: "half the durable writes per second of 16 writers on this disk", unit: perSecond, ours: []float64{busy.rate}, base: []float64{writes / 2}},
		{what: what + "CPU per refresh", baseline: "a proxied request", unit: microseconds, ours: []float64{busy.cpu}, base: []float64{median(one.cpu)}},
		{what: what + "refreshes in the busiest second, tokens live 10 s", baseline: "the mean", unit: number, ours: []float64{most}, base: []float64{mean}},
		{what: what + "standard deviation of refreshes per second", baseline: "the mean", unit: number, ours: []float64{deviation}, base: []float64{mean}},
	}, nil
}

// refreshed is what an authorization server saw for a while.
type refreshed struct {
	rate float64
	cpu  float64 // µs a refresh
	each []int   // refreshes in each second
}

// refreshing runs a fleet whose tokens live for a short time. What happens before
// it has settled does not count.
func refreshing(ctx context.Context, b *bench, name string, size int, lifetime, settle, watch time.Duration) (r refreshed, err error) {
	auth := &authServer{lifetime: lifetime}
	if err := auth.serve(ctx); err != nil {
		return r, err
	}
	defer auth.close()
	f, err := newFleet(ctx, b, name, size, auth)
	if err != nil {
		return r, err
	}
	defer f.stop()
	if _, _, err := f.start(ctx, b, program.Patience); err != nil {
		return r, err
	}
	if err := rest(ctx, settle); err != nil {
		return r, err
	}
	before, err := f.process.CPU()
	if err != nil {
		return r, err
	}
	began := time.Now()
	if err := rest(ctx, watch); err != nil {
		return r, err
	}
	took := time.Since(began)
	after, err := f.process.CPU()
	if err != nil {
		return r, err
	}
	if err := b.keepProfile(ctx, f.process, name+"-cpu", "profile?seconds=5"); err != nil {
		return r, err
	}
	seen := auth.count()
	if seen.refused > 0 {
		return r, fmt.Errorf("%d refresh tokens were presented that are not the newest", seen.refused)
	}
	r.each = make([]int, int(watch.Seconds()))
	var total int
	for _, at := range seen.issued {
		since := at.Sub(began)
		if since < 0 || since >= took {
			continue
		}
		total++
		if second := int(since.Seconds()); second < len(r.each) {
			r.each[second]++
		}
	}
	if total == 0 {
		return r, fmt.Errorf("nothing was refreshed in %v", took)
	}
	r.rate = float64(total) / took.Seconds()
	r.cpu = float64((after - before).Microseconds()) / float64(total)
	return r, nil
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// evenness tells how much the seconds differ.
func evenness(each []int) (mean, deviation, most float64) {
	for _, n := range each {
		mean += float64(n) / float64(len(each))
		most = max(most, float64(n))
	}
	for _, n := range each {
		deviation += (float64(n) - mean) * (float64(n) - mean) / float64(len(each))
	}
	return mean, math.Sqrt(deviation), most
}

// durableWrites tells how often a second 16 writers can replace a file so that a
// power cut cannot undo it: write, sync, rename, sync the directory.
func durableWrites(dir string, watch time.Duration) (perSecond float64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var total int
	content := []byte(strings.Repeat("x", 1024))
	began := time.Now()
	for i := range 16 {
		wg.Go(func() {
			for time.Since(began) < watch {
				failed := durableWrite(filepath.Join(dir, fmt.Sprint(i)), content)
				mu.Lock()
				total++
				if err == nil {
					err = failed
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return float64(total) / time.Since(began).Seconds(), err
}

func durableWrite(path string, content []byte) error {
	file, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}
