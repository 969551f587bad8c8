package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"lamplighter/bench/program"
)

// fresh is what a process that was just started shows.
type fresh struct {
	answered          []float64 // ms from its start to the first 200
	idle, answered100 []float64 // MiB of memory, after that and after 100 more
}

// measureStart starts Lamplighter without a token, and stock Caddy, in turns.
func measureStart(ctx context.Context, b *bench) ([]row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	auth := &authServer{oneToken: true, lifetime: time.Hour}
	if err := auth.serve(ctx); err != nil {
		return nil, err
	}
	defer auth.close()
	var ours, stock fresh
	for i := range pick(b, 10, 1) {
		for _, start := range []struct {
			*fresh
			binary, name string
			config       func(address string) string
		}{
			{&ours, b.lamplighter, "lamplighter", func(address string) string { return frontSite(auth, address, "bench "+client(auth, "")) }},
			{&stock, b.caddy, "caddy", func(address string) string { return caddySite(auth, address) }},
		} {
			address, err := program.FreeAddress(ctx)
			if err != nil {
				return nil, err
			}
			home := filepath.Join(b.dir, fmt.Sprintf("start-%s-%d", start.name, i))
			if err := writeFile(home, "Caddyfile", start.config(address)); err != nil {
				return nil, err
			}
			if err := start.once(ctx, home, start.binary, "http://"+address+"/orders"); err != nil {
				return nil, err
			}
		}
	}
	sizes, err := sizeRows(b)
	return append([]row{
		{what: "cold start: exec to the first answer with a new token", baseline: "stock Caddy, header_up", unit: milliseconds, ours: ours.answered, base: stock.answered},
		{what: "memory after the first request", baseline: "stock Caddy, header_up", unit: mebibytes, ours: ours.idle, base: stock.idle},
		{what: "memory after 100 requests", baseline: "stock Caddy, header_up", unit: mebibytes, ours: ours.answered100, base: stock.answered100},
	}, sizes...), err
}

// once starts a process, and ends it after 101 requests.
func (f *fresh) once(ctx context.Context, home, binary, url string) error {
	began := time.Now()
	p, err := start(ctx, home, binary, "run", "--config", "Caddyfile")
	if err != nil {
		return err
	}
	defer p.Stop()
	at, err := p.Answers(ctx, program.Patience, url)
	if err != nil {
		return err
	}
	f.answered = append(f.answered, at.Sub(began).Seconds()*1000)
	if err := settled(p, &f.idle); err != nil {
		return err
	}
	for range 100 {
		if _, err := program.Fetch(ctx, http.DefaultClient, url); err != nil {
			return err
		}
	}
	return settled(p, &f.answered100)
}

// settled notes the memory of a process, some time after it did something.
func settled(p *program.Process, into *[]float64) error {
	time.Sleep(300 * time.Millisecond)
	rss, err := p.RSS()
	*into = append(*into, rss/(1<<20))
	return err
}

// sizeRows compares what is downloaded and what is stored.
func sizeRows(b *bench) ([]row, error) {
	size := func(path string) (plain, packed float64, err error) {
		file, err := os.Open(path)
		if err != nil {
			return 0, 0, err
		}
		defer func() { _ = file.Close() }()
		var counted counter
		zip := gzip.NewWriter(&counted)
		n, err := io.Copy(zip, file)
		if err == nil {
			err = zip.Close()
		}
		return float64(n) / (1 << 20), float64(counted) / (1 << 20), err
	}
	ours, oursPacked, err := size(b.lamplighter)
	if err != nil {
		return nil, err
	}
	stock, stockPacked, err := size(b.caddy)
	if err != nil {
		return nil, err
	}
	b.note("The container image is the binary, a symbolic link and empty directories, on nothing: its one layer that counts is the binary, packed with gzip.")
	return []row{
		{what: "binary", baseline: "stock Caddy", unit: mebibytes, ours: []float64{ours}, base: []float64{stock}},
		{what: "image: its layer, as it is pulled", baseline: "stock Caddy's binary, packed alike", unit: mebibytes, ours: []float64{oursPacked}, base: []float64{stockPacked}},
	}, nil
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
