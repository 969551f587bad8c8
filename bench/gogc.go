package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lamplighter/bench/program"
)

// collected is a sidecar that was told how often to collect garbage.
type collected struct {
	*proxy
	env                 []string
	resident, anonymous []float64 // MiB, for each round, at the end of its load
}

// within is what Caddy itself sets as GOMEMLIMIT in a container that may use 64 MiB.
const within = "GOMEMLIMIT=57MiB"

// measureCollector sends the same requests through sidecars whose garbage is collected
// more or less often.
func measureCollector(ctx context.Context, b *bench) ([]row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	auth := &authServer{oneToken: true, lifetime: time.Hour}
	if err := auth.serve(ctx); err != nil {
		return nil, err
	}
	defer auth.close()
	all, err := startCollectors(ctx, b, auth)
	defer func() {
		for _, c := range all {
			if c.process != nil {
				c.process.Stop()
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	byProxy := make(map[*proxy]*collected)
	var proxies []*proxy
	for _, c := range all {
		byProxy[c.proxy] = c
		proxies = append(proxies, c.proxy)
	}
	slice := pick(b, 300*time.Millisecond, 100*time.Millisecond)
	err = turns(proxies, pick(b, 20, 1), func(p *proxy, counts bool) error {
		if err := p.measure(ctx, slice, counts); err != nil || !counts {
			return err
		}
		return byProxy[p].weigh()
	})
	return collectorRows(all), err
}

// startCollectors starts a sidecar with upstream_oauth for each environment. What
// comes first is the baseline, and Go's own default.
func startCollectors(ctx context.Context, b *bench, auth *authServer) (all []*collected, err error) {
	for _, env := range [][]string{
		{"GOGC=100"},
		{"GOGC=100"},
		nil,
		{"GOGC=200"},
		{"GOGC=400"},
		{"GOGC=100", within},
		{"GOGC=200", within},
		{"GOGC=400", within},
	} {
		c := &collected{proxy: &proxy{what: strings.Join(env, " ")}, env: env}
		switch {
		case len(all) == 1:
			c.what = "the same once more (noise)"
		case env == nil:
			c.what = "the binary's own default"
		}
		all = append(all, c)
	}
	for i, c := range all {
		if c.address, err = program.FreeAddress(ctx); err != nil {
			return all, err
		}
		config := "{\n\toauth2_client bench " + client(auth, "") + "}\n" + frontSite(auth, c.address, "bench\n")
		if c.process, err = b.startCaddyfile(ctx, b.lamplighter, fmt.Sprintf("gogc-%d", i), config, c.address, c.env...); err != nil {
			return all, err
		}
	}
	return all, nil
}

// weigh takes the memory as the load leaves it.
func (c *collected) weigh() error {
	resident, err := c.process.RSS()
	if err != nil {
		return err
	}
	anonymous, err := c.process.Anonymous()
	if err != nil {
		return err
	}
	c.resident = append(c.resident, resident/(1<<20))
	c.anonymous = append(c.anonymous, anonymous/(1<<20))
	return nil
}

func collectorRows(all []*collected) (rows []row) {
	base := all[0]
	for _, c := range all[1:] {
		rows = append(rows, compare(c.proxy, base.proxy, ": CPU per request", c.cpu, base.cpu))
	}
	for _, c := range all[1:] {
		r := compare(c.proxy, base.proxy, ": memory under load", c.resident, base.resident)
		r.unit = mebibytes
		rows = append(rows, r)
	}
	for _, c := range all[1:] {
		r := compare(c.proxy, base.proxy, ": memory under load that is in no file", c.anonymous, base.anonymous)
		r.unit = mebibytes
		rows = append(rows, r)
	}
	return rows
}
