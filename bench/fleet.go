package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lamplighter/bench/program"
)

// fleet is one sidecar with many clients, each with a rotating refresh token.
type fleet struct {
	size    int
	auth    *authServer
	home    string
	address string // where one client's token goes into requests
	process *program.Process
	sampled int // bytes of the heap a sample of its profile stands for
}

// newFleet makes the configuration of a sidecar, in a file as a program would.
func newFleet(ctx context.Context, b *bench, name string, size int, auth *authServer) (*fleet, error) {
	f := &fleet{size: size, auth: auth, home: filepath.Join(b.dir, name), sampled: 65536}
	var err error
	if f.address, err = program.FreeAddress(ctx); err != nil {
		return nil, err
	}
	seeds := filepath.Join(f.home, "seeds")
	if err := os.MkdirAll(seeds, 0o700); err != nil {
		return nil, err
	}
	clients := make(map[string]map[string]any, size)
	for i := range size {
		id := clientID(i)
		path := filepath.Join(seeds, id)
		if err := os.WriteFile(path, []byte(seed(id)), 0o600); err != nil {
			return nil, err
		}
		clients[id] = map[string]any{ //nolint:gosec // the bench's own
			"token_endpoint": auth.endpoint(),
			"client_id":      id,
			"client_secret":  "{env.BENCH_SECRET}",
			"refresh_token":  "{file." + path + "}",
		}
	}
	config, err := json.Marshal(map[string]any{"apps": map[string]any{
		"oauth2_client": map[string]any{"clients": clients},
		"http": map[string]any{"servers": map[string]any{"bench": map[string]any{
			"listen":          []string{f.address},
			"automatic_https": map[string]any{"disable": true},
			"routes": []any{map[string]any{"handle": []any{map[string]any{
				"handler":   "reverse_proxy",
				"upstreams": []any{map[string]any{"dial": auth.api}},
				"transport": map[string]any{"protocol": "oauth2", "client": clientID(size / 2)},
			}}}},
		}}},
	}})
	if err != nil {
		return nil, err
	}
	return f, writeFile(f.home, "config.json", string(config))
}

func clientID(i int) string { return fmt.Sprintf("client-%06d", i) }

// start starts the sidecar and returns how long the first answer took.
func (f *fleet) start(ctx context.Context, b *bench, limit time.Duration) (answered time.Duration, began time.Time, err error) {
	began = time.Now()
	// The heap is sampled eight times as often as usual: what few clients hold would
	// be lost in the noise.
	if f.process, err = start(ctx, f.home, "env", fmt.Sprintf("GODEBUG=memprofilerate=%d", f.sampled), b.lamplighter, "run", "--config", "config.json"); err != nil {
		return 0, began, err
	}
	at, err := f.process.Answers(ctx, limit, "http://"+f.address+"/orders")
	return at.Sub(began), began, err
}

// ready waits until every client has a token.
func (f *fleet) ready(ctx context.Context, limit time.Duration) (at time.Time, err error) {
	pause := 10 * time.Millisecond
	if f.size > 1000 {
		pause = 250 * time.Millisecond // the answer costs the sidecar something too
	}
	err = f.process.Eventually(ctx, limit, pause, "have a token for every client", func() error {
		// Of all clients it says so before there are any, while Caddy still starts.
		_, err := f.process.Ask(ctx, "/oauth2_client/ready?client="+clientID(0))
		if err == nil {
			_, err = f.process.Ask(ctx, "/oauth2_client/ready")
		}
		at = time.Now()
		if err != nil {
			return fmt.Errorf("%.200s", err.Error())
		}
		return nil
	})
	return at, err
}

func (f *fleet) stop() {
	if f.process != nil {
		f.process.Stop()
		f.process = nil
	}
}
