package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"lamplighter/bench/load"
	"lamplighter/bench/program"
)

const (
	startLimit   = 3.0             // seconds until a sidecar with many clients answers
	clientLimit  = 4.0             // KiB a client may hold beyond its tokens
	mostAtOnce   = 16              // token requests to one authorization server
	firstLimit   = 6 * time.Minute // for all clients to obtain a token
	restartLimit = time.Minute     // for all records to be known
	tokenBytes   = 2 * 64          // an access token and a refresh token, as pad makes them
)

// restarts is what a fleet shows that starts with its records on the disk.
type restarts struct {
	*fleet
	answered, known []float64 // seconds
	memory          []program.Memory
	cpu             []float64 // µs a proxied request
	missing         string
}

// measureScale runs one sidecar with few and many clients.
func measureScale(ctx context.Context, b *bench) ([]row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var rows []row
	var all []*restarts
	sizes := b.sizes
	if sizes == nil {
		sizes = pick(b, []int{1, 1000, 100_000}, []int{1, 20})
	}
	for _, size := range sizes {
		f, first, err := firstStart(ctx, b, size)
		if err != nil {
			return rows, err
		}
		defer f.auth.close()
		all = append(all, f)
		rows = append(rows, first...)
	}
	for range pick(b, 3, 1) {
		for _, r := range all {
			if err := r.restart(ctx, b); err != nil {
				return rows, err
			}
		}
	}
	for _, r := range all[1:] {
		rows = append(rows, restartRows(all[0], r)...)
	}
	steady, err := measureSteady(ctx, b, all[0])
	return append(rows, steady...), err
}

// firstStart starts a fleet that has no record yet, and lets it obtain all tokens.
func firstStart(ctx context.Context, b *bench, size int) (*restarts, []row, error) {
	auth := &authServer{lifetime: 24 * time.Hour, delay: 20 * time.Millisecond}
	if size > 1000 {
		auth.delay = time.Millisecond
	}
	if err := auth.serve(ctx); err != nil {
		return nil, nil, err
	}
	f, err := newFleet(ctx, b, fmt.Sprintf("fleet-%d", size), size, auth)
	if err != nil {
		return nil, nil, err
	}
	r := &restarts{fleet: f}
	defer f.stop()
	_, _, err = f.start(ctx, b, firstLimit)
	if err == nil {
		_, err = f.ready(ctx, firstLimit)
	}
	seen := auth.count()
	if errors.Is(err, program.ErrLate) {
		r.missing = fmt.Sprintf("after %v %s clients had a token", firstLimit, thousands(len(seen.issued)))
		b.note("%s clients without a record: %s", thousands(size), program.FirstLine(err))
	} else if err != nil || size == 1 {
		return r, nil, err
	}
	if seen.refused > 0 {
		return r, nil, fmt.Errorf("%d refresh tokens were presented that are not the newest", seen.refused)
	}
	what := thousands(size) + " clients without a record: "
	atOnce := row{what: what + "token requests at once", baseline: "the limit", unit: number, base: []float64{mostAtOnce}, target: target{valueAtMost, mostAtOnce}}
	took := row{what: what + "until all have tokens", baseline: "16 at once, each taking " + auth.delay.String(), unit: seconds, missing: r.missing}
	if n := len(seen.issued); n > 0 {
		atOnce.ours = []float64{float64(seen.most)}
		took.ours = []float64{seen.issued[n-1].Sub(seen.issued[0]).Seconds()}
		took.base = []float64{math.Ceil(float64(size)/mostAtOnce) * auth.delay.Seconds()}
	} else {
		atOnce.missing = r.missing
	}
	return r, []row{atOnce, took}, nil
}

// restart starts a fleet whose tokens are on the disk, and looks at it.
func (r *restarts) restart(ctx context.Context, b *bench) error {
	if r.missing != "" {
		return nil
	}
	r.auth.count()
	defer r.stop()
	answered, began, err := r.start(ctx, b, restartLimit)
	var known time.Time
	if err == nil {
		known, err = r.ready(ctx, restartLimit)
	}
	if errors.Is(err, program.ErrLate) {
		r.missing = fmt.Sprintf("it was not ready after %v", restartLimit)
		b.note("%s clients: %s", thousands(r.size), program.FirstLine(err))
		return nil
	}
	if err != nil {
		return err
	}
	r.answered = append(r.answered, answered.Seconds())
	r.known = append(r.known, known.Sub(began).Seconds())
	if err := b.keepProfile(ctx, r.process, fmt.Sprintf("fleet-%d-cpu", r.size), "profile?seconds=5"); err != nil {
		return err
	}
	cpu, err := r.cpuOfRequest(ctx, pick(b, 2*time.Second, 100*time.Millisecond))
	if err != nil {
		return err
	}
	r.cpu = append(r.cpu, cpu)
	m, err := r.process.Memory(ctx, pick(b, 5*time.Second, 100*time.Millisecond))
	if err != nil {
		return err
	}
	r.memory = append(r.memory, m)
	return b.keepProfile(ctx, r.process, fmt.Sprintf("fleet-%d-heap", r.size), "heap?gc=1")
}

// cpuOfRequest returns the CPU time that a proxied request takes, in µs.
func (f *fleet) cpuOfRequest(ctx context.Context, slice time.Duration) (float64, error) {
	before, err := f.process.CPU()
	if err != nil {
		return 0, err
	}
	out, err := load.Run(ctx, load.Order{Address: f.address, Duration: slice, Connections: 32})
	if err = errors.Join(err, out.Err()); err != nil {
		return 0, err
	}
	after, err := f.process.CPU()
	return float64((after - before).Microseconds()) / float64(out.Requests), err
}

func restartRows(one, many *restarts) []row {
	what := thousands(many.size) + " clients: "
	each := func(of func(program.Memory) float64) []float64 {
		n := min(len(one.memory), len(many.memory))
		out := make([]float64, 0, n)
		for i := range n {
			more := of(many.memory[i]) - of(one.memory[i])
			out = append(out, (more/float64(many.size-1)-tokenBytes)/1024)
		}
		return out
	}
	limit := []float64{clientLimit}
	small := target{valueAtMost, clientLimit}
	soon := target{valueAtMost, startLimit}
	rows := []row{
		{what: what + "start, to the first answer", baseline: "1 client", unit: seconds, ours: many.answered, base: one.answered, target: soon},
		{what: what + "start, to all records known", baseline: "1 client", unit: seconds, ours: many.known, base: one.known, target: soon},
		{what: what + "CPU per request", baseline: "1 client", unit: microseconds, ours: many.cpu, base: one.cpu},
		{what: what + "memory per client, resident", baseline: "the limit", unit: kibibytes, ours: each(func(m program.Memory) float64 { return m.RSS }), base: limit, target: small},
		{what: what + "memory per client, Go heap", baseline: "the limit", unit: kibibytes, ours: each(func(m program.Memory) float64 { return m.Heap }), base: limit, target: small},
		{what: what + "memory per client, Go heap without Caddy's copies of the configuration", baseline: "the limit", unit: kibibytes, ours: each(func(m program.Memory) float64 { return m.Own }), base: limit, target: small},
	}
	for i := range rows {
		rows[i].missing = many.missing
	}
	return rows
}

// thousands writes a number of clients.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
