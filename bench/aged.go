package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"lamplighter/bench/program"
)

// agedLimit is what a client may hold once its grant has rotated often, in KiB.
const agedLimit = 7.0

// measureAged lets a few clients refresh many times, and tells what they hold then: the
// marks of consumed refresh tokens and the history are bounded.
func measureAged(ctx context.Context, b *bench) ([]row, error) {
	clients, times := pick(b, 100, 5), pick(b, 1000, 20)
	// What the process keeps for all of its clients, such as the secrets that it prints
	// nowhere, is bounded: one client fills it too.
	one, err := aged(ctx, b, "aged-one", 1, pick(b, 5*times, times))
	if err != nil {
		return nil, err
	}
	many, err := aged(ctx, b, "aged-many", clients, times)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s clients after %s refreshes each: memory per client, Go heap without Caddy's copies of the configuration", thousands(clients), thousands(times))
	each := ((many-one)/float64(clients-1) - tokenBytes) / 1024
	return []row{{what: what, baseline: "the limit", unit: kibibytes, ours: []float64{each}, base: []float64{agedLimit}, target: target{valueAtMost, agedLimit}}}, nil
}

// aged returns what a fleet holds once each of its clients has refreshed that often.
func aged(ctx context.Context, b *bench, name string, size, times int) (bytes float64, err error) {
	auth := &authServer{lifetime: 24 * time.Hour}
	if err := auth.serve(ctx); err != nil {
		return 0, err
	}
	defer auth.close()
	f, err := newFleet(ctx, b, name, size, auth)
	if err != nil {
		return 0, err
	}
	f.sampled = 512 // bytes: few clients hold little
	defer f.stop()
	if _, _, err := f.start(ctx, b, program.Patience); err != nil {
		return 0, err
	}
	if _, err := f.ready(ctx, program.Patience); err != nil {
		return 0, err
	}
	if err := f.refreshAll(ctx, times); err != nil {
		return 0, err
	}
	if seen := auth.count(); seen.refused > 0 {
		return 0, fmt.Errorf("%d refresh tokens were presented that are not the newest", seen.refused)
	}
	if err := rest(ctx, pick(b, 10*time.Second, 0)); err != nil { // a former token is kept for some seconds
		return 0, err
	}
	if err := b.keepProfile(ctx, f.process, name+"-heap", "heap?gc=1"); err != nil {
		return 0, err
	}
	m, err := f.process.Memory(ctx, 0)
	return m.Own, err
}

// refreshAll has each client refresh that often, eight of them at once.
func (f *fleet) refreshAll(ctx context.Context, times int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(8, f.size) {
		wg.Go(func() {
			for i := range next {
				for range times {
					if err := f.process.Post(ctx, "/oauth2_client/clients/"+clientID(i)+"/refresh"); err != nil {
						cancel(err)
						break
					}
				}
			}
		})
	}
	for i := range f.size {
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
