package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"lamplighter/bench/load"
	"lamplighter/bench/program"
)

// steadier is what rotation may do to latency.
const steadier = 1.1

// rotating is a sidecar whose tokens rotate every two seconds, or in an hour.
type rotating struct {
	process *program.Process
	address string
	// rotations counts tokens that were issued so far.
	rotations func(context.Context) (int, error)
	close     func()

	found []load.Outcome
}

// measureRotation sends requests at a constant rate through sidecars whose tokens
// rotate, and through others whose tokens stay.
func measureRotation(ctx context.Context, b *bench) ([]row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var rows []row
	for _, mode := range []struct {
		overlap string
		start   func(context.Context, *bench, string, time.Duration) (*rotating, error)
	}{
		{"until_expiry", startOverlapping},
		{"none", startSandboxed},
	} {
		more, err := rotationRows(ctx, b, mode.overlap, mode.start)
		if err != nil {
			return rows, fmt.Errorf("rotation_overlap %s: %w", mode.overlap, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func rotationRows(ctx context.Context, b *bench, overlap string, start func(context.Context, *bench, string, time.Duration) (*rotating, error)) ([]row, error) {
	busy, err := start(ctx, b, "rotates-"+overlap, 3*time.Second)
	if err != nil {
		return nil, err
	}
	defer busy.close()
	calm, err := start(ctx, b, "stays-"+overlap, time.Hour)
	if err != nil {
		return nil, err
	}
	defer calm.close()

	rounds, slice := pick(b, 16, 1), pick(b, 2*time.Second, 3*time.Second)
	var during int
	for round := range rounds {
		turns := []*rotating{busy, calm}
		if round%2 == 1 {
			turns[0], turns[1] = calm, busy
		}
		for _, r := range turns {
			before, err := r.rotations(ctx)
			if err != nil {
				return nil, err
			}
			out, err := load.Run(ctx, load.Order{Address: r.address, Duration: slice, Rate: 1000})
			if err != nil {
				return nil, err
			}
			after, err := r.rotations(ctx)
			if err != nil {
				return nil, err
			}
			if r == busy {
				during += after - before
			} else if err := out.Err(); err != nil {
				return nil, fmt.Errorf("without rotation: %w", err)
			}
			r.found = append(r.found, out)
		}
	}
	if during < rounds/2 {
		return nil, fmt.Errorf("there were only %d rotations in %d rounds", during, rounds)
	}
	b.note("`rotation_overlap %s`: %d rotations while %d requests were sent, 1000 a second.", overlap, during, sum(busy.found, func(o load.Outcome) int64 { return o.Requests }))
	if why := firstFailure(busy.found); why != "" {
		b.note("`rotation_overlap %s`: the first failure was: %s", overlap, why)
	}
	return latencyRows(overlap, busy, calm), nil
}

func latencyRows(overlap string, busy, calm *rotating) []row {
	baseline := "the same without rotation"
	latency := func(name string, limit target, of func(load.Outcome) float64) row {
		return row{
			what: "rotation_overlap " + overlap + ": " + name, baseline: baseline, unit: microseconds,
			ours: values(busy.found, of), base: values(calm.found, of), target: limit,
		}
	}
	return []row{
		latency("p50", target{ratioAtMost, steadier}, func(o load.Outcome) float64 { return o.P50 }),
		latency("p99", target{ratioAtMost, steadier}, func(o load.Outcome) float64 { return o.P99 }),
		latency("p99.9", target{}, func(o load.Outcome) float64 { return o.P999 }),
		{
			what: "rotation_overlap " + overlap + ": requests that failed", baseline: baseline, unit: number,
			ours: []float64{float64(sum(busy.found, func(o load.Outcome) int64 { return o.Failed }))}, target: target{valueAtMost, 0},
		},
	}
}

func values(list []load.Outcome, of func(load.Outcome) float64) []float64 {
	out := make([]float64, 0, len(list))
	for _, o := range list {
		out = append(out, of(o))
	}
	return out
}

func sum(list []load.Outcome, of func(load.Outcome) int64) (total int64) {
	for _, o := range list {
		total += of(o)
	}
	return total
}

func firstFailure(list []load.Outcome) string {
	for _, o := range list {
		if o.Why != "" {
			return o.Why
		}
	}
	return ""
}

// startOverlapping starts a sidecar of an authorization server where old access
// tokens live on until they expire.
func startOverlapping(ctx context.Context, b *bench, name string, lifetime time.Duration) (*rotating, error) {
	auth := &authServer{lifetime: lifetime}
	if err := auth.serve(ctx); err != nil {
		return nil, err
	}
	r := &rotating{
		rotations: func(context.Context) (int, error) { return len(auth.count().issued), nil },
	}
	return r, r.start(ctx, b, name, auth.close, func(address string) string {
		return frontSite(auth, address, "bench "+client(auth, "\t\trefresh_token "+seed("bench")+"\n"))
	})
}

// start starts the sidecar, and sees that it works.
func (r *rotating) start(ctx context.Context, b *bench, name string, end func(), config func(address string) string) error {
	r.close = end
	var err error
	if r.address, err = program.FreeAddress(ctx); err == nil {
		r.process, err = b.startCaddyfile(ctx, b.lamplighter, name, config(r.address), r.address)
	}
	if r.process != nil {
		r.close = func() { r.process.Stop(); end() }
	}
	if err == nil {
		_, err = r.process.Answers(ctx, program.Patience, "http://"+r.address+"/orders")
	}
	if err != nil {
		r.close()
	}
	return err
}

// startSandboxed starts a sidecar of the demo's servers, where a refresh kills the
// old tokens at once.
func startSandboxed(ctx context.Context, b *bench, name string, lifetime time.Duration) (*rotating, error) {
	home := filepath.Join(b.dir, name+"-servers")
	servers, err := start(ctx, home, b.lamplighter, "demo", "--server-only", "--json", "--lifetime", lifetime.String(),
		"--authorization-server", "127.0.0.1:0", "--api", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	where, err := introduce(ctx, servers)
	if err != nil {
		servers.Stop()
		return nil, err
	}
	r := &rotating{rotations: func(ctx context.Context) (int, error) {
		var stats struct {
			Refreshed int `json:"refreshed"`
			Spent     int `json:"spent_refresh_tokens"`
		}
		body, err := program.Fetch(ctx, http.DefaultClient, where.AuthorizationServer+"/_sandbox/stats")
		if err == nil {
			err = json.Unmarshal(body, &stats)
		}
		if err == nil && stats.Spent > 0 {
			err = errors.New("a spent refresh token was presented")
		}
		return stats.Refreshed, err
	}}
	return r, r.start(ctx, b, name, servers.Stop, func(address string) string {
		return site(address, fmt.Sprintf(`	upstream_oauth %s {
		client demo {
			provider tencent_eiam %s
			client_id %s
			client_secret {file.%s}
			refresh_token {file.%s}
		}
	}
`, where.API, where.AuthorizationServer, where.ClientID, where.ClientSecretFile, where.RefreshTokenFile))
	})
}

// introduction is what the demo's servers say of themselves.
type introduction struct {
	AuthorizationServer string `json:"authorization_server"`
	API                 string `json:"api"`
	ClientID            string `json:"client_id"`
	ClientSecretFile    string `json:"client_secret_file"`
	RefreshTokenFile    string `json:"refresh_token_file"`
}

func introduce(ctx context.Context, p *program.Process) (is introduction, err error) {
	err = p.Eventually(ctx, program.Patience, 10*time.Millisecond, "say where it listens", func() error {
		for line := range strings.Lines(p.Output()) {
			if json.Unmarshal([]byte(line), &is) == nil && is.API != "" {
				return nil
			}
		}
		return errors.New("it has not said it yet")
	})
	return is, err
}
