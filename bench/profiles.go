package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lamplighter/bench/load"
	"lamplighter/bench/program"
)

// keepProfile writes a profile of a process to the directory that was asked for,
// if one was. It is taken beside the measurements, never during them.
func (b *bench) keepProfile(ctx context.Context, p *program.Process, name, path string) error {
	if b.profiles == "" {
		return nil
	}
	data, err := p.Ask(ctx, "/debug/pprof/"+path)
	if err != nil {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(b.profiles, name+".pb.gz"), data, 0o600)
}

// profileLoad keeps a CPU profile of a process that is under load, and one of what
// it allocates.
func (b *bench) profileLoad(ctx context.Context, p *program.Process, name, address string) error {
	if b.profiles == "" {
		return nil
	}
	const watch = 10 * time.Second
	done := make(chan error, 1)
	go func() {
		_, err := load.Run(ctx, load.Order{Address: address, Duration: watch + time.Second, Connections: 32})
		done <- err
	}()
	err := b.keepProfile(ctx, p, name+"-cpu", fmt.Sprintf("profile?seconds=%.0f", watch.Seconds()))
	return errors.Join(err, <-done, b.keepProfile(ctx, p, name+"-heap", "heap"))
}
