package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"lamplighter/bench/load"
	"lamplighter/bench/program"
)

// overhead is the share that an injected token may cost.
const overhead = 1.02

// proxy is a way to put a token into requests.
type proxy struct {
	what    string
	address string
	process *program.Process
	beside  *program.Process // what it asks, whose CPU counts too
	target  bool
	missing string // why it is not measured

	cpu, rate []float64 // for each round: µs a request, requests a second
	p99       []float64 // µs
	invalid   error
}

// measureProxies sends the same requests through each proxy in turn.
func measureProxies(ctx context.Context, b *bench) ([]row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	auth := &authServer{oneToken: true, lifetime: time.Hour}
	if err := auth.serve(ctx); err != nil {
		return nil, err
	}
	defer auth.close()
	all, err := startProxies(ctx, b, auth)
	defer func() {
		for _, p := range all {
			if p.process != nil {
				p.process.Stop()
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	// Many short slices: the machine's clock drifts by more than what is measured.
	rounds := pick(b, 60, 1)
	slice := pick(b, 300*time.Millisecond, 100*time.Millisecond)
	if err := turns(all, rounds, func(p *proxy, counts bool) error { return p.measure(ctx, slice, counts) }); err != nil {
		return nil, err
	}
	return proxyRows(all), profileProxies(ctx, b, all)
}

// turns measures each proxy in turn, in each of the rounds, and in one before them
// which warms up and does not count.
func turns(all []*proxy, rounds int, measure func(p *proxy, counts bool) error) error {
	for round := range rounds + 1 {
		for i := range all {
			p := all[(i+round)%len(all)] // who comes after whom changes
			if p.missing != "" {
				continue
			}
			if err := measure(p, round > 0); err != nil {
				return fmt.Errorf("%s: %w", p.what, err)
			}
		}
	}
	return nil
}

// profileProxies keeps profiles of the baseline, and of what is compared with it.
func profileProxies(ctx context.Context, b *bench, all []*proxy) error {
	for name, p := range map[string]*proxy{"static": all[0], "transport": all[2], "upstream_oauth": all[3]} {
		if err := b.profileLoad(ctx, p.process, "proxy-"+name, p.address); err != nil {
			return err
		}
	}
	return nil
}

// measure sends requests through a proxy.
func (p *proxy) measure(ctx context.Context, slice time.Duration, counts bool) error {
	before, err := p.used()
	if err != nil {
		return err
	}
	out, err := load.Run(ctx, load.Order{Address: p.address, Duration: slice, Connections: 32})
	if err != nil {
		return err
	}
	after, err := p.used()
	if err != nil {
		return err
	}
	p.check(out)
	if !counts {
		return nil
	}
	p.cpu = append(p.cpu, float64((after-before).Microseconds())/float64(out.Requests))
	p.rate = append(p.rate, float64(out.Requests)/out.Seconds)
	return nil
}

// used is the CPU time so far of everything that takes part in a request.
func (p *proxy) used() (time.Duration, error) {
	used, err := p.process.CPU()
	if err != nil || p.beside == nil {
		return used, err
	}
	more, err := p.beside.CPU()
	return used + more, err
}

// measureLatency sends requests through a proxy, each at its time.
func (p *proxy) measureLatency(ctx context.Context, slice time.Duration, rate int, counts bool) error {
	out, err := load.Run(ctx, load.Order{Address: p.address, Duration: slice, Rate: rate})
	if err != nil {
		return err
	}
	p.check(out)
	if counts {
		p.p99 = append(p.p99, out.P99)
	}
	return nil
}

// check keeps why the numbers of a proxy mean nothing.
func (p *proxy) check(out load.Outcome) {
	if err := out.Err(); err != nil {
		p.invalid = errors.Join(p.invalid, fmt.Errorf("%s: %w", p.what, err))
	}
}

// proxyRows compares each proxy with the first.
func proxyRows(all []*proxy) (rows []row) {
	base := all[0]
	for _, p := range all[1:] {
		cpu := row{
			what: p.what + ": CPU per request", baseline: base.what, unit: microseconds,
			ours: p.cpu, base: base.cpu, missing: p.missing, invalid: errors.Join(base.invalid, p.invalid),
		}
		if p.target {
			cpu.target = target{ratioAtMost, overhead}
		}
		rows = append(rows, cpu)
	}
	for _, p := range all[1:] {
		rate := row{
			what: p.what + ": requests per second", baseline: base.what, unit: perSecond,
			ours: p.rate, base: base.rate, missing: p.missing, invalid: errors.Join(base.invalid, p.invalid),
		}
		if p.target {
			rate.target = target{ratioAtLeast, 1 / overhead}
		}
		rows = append(rows, rate)
	}
	return rows
}

// startProxies starts all proxies. Those of Lamplighter are sites of one process,
// so that they differ in nothing but what is measured; only one is busy at a time.
func startProxies(ctx context.Context, b *bench, auth *authServer) ([]*proxy, error) {
	base := &proxy{what: "static header_up"}
	again := &proxy{what: "the same once more (noise)"}
	transport := &proxy{what: "transport oauth2", target: true}
	front := &proxy{what: "upstream_oauth", target: true}
	stock := &proxy{what: "stock Caddy, header_up"}
	nginx := &proxy{what: "nginx, proxy_set_header"}
	haproxy := &proxy{what: "HAProxy, set-header"}
	all := []*proxy{base, again, transport, front, stock, nginx, haproxy}
	for _, p := range all {
		var err error
		if p.address, err = program.FreeAddress(ctx); err != nil {
			return all, err
		}
	}
	config := lamplighterSites(auth, base.address, again.address, transport.address, front.address)
	ours, err := b.startCaddyfile(ctx, b.lamplighter, "proxies-lamplighter", config, base.address)
	for _, p := range all[:4] {
		p.process = ours
	}
	if err != nil {
		return all, err
	}
	if stock.process, err = b.startCaddyfile(ctx, b.caddy, "proxies-caddy", caddySite(auth, stock.address), stock.address); err != nil {
		return all, err
	}
	for _, other := range []struct {
		*proxy
		name   string
		config string
		args   []string
	}{
		{nginx, "nginx", nginxConfig(auth, nginx.address), nginxArgs},
		{haproxy, "haproxy", haproxyConfig(auth, haproxy.address), haproxyArgs},
	} {
		var err error
		other.process, other.missing, err = b.startProgram(ctx, "proxies-"+other.name, other.name, other.config, other.address, other.args)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// How both are told to stay what they are, a child of this process, and what to read.
var (
	nginxArgs   = []string{"-p", ".", "-e", "error.log", "-c", "config"}
	haproxyArgs = []string{"-db", "-f", "config"}
)

// startProgram starts nginx or HAProxy, and waits until it listens. Or it says why not.
func (b *bench) startProgram(ctx context.Context, home, name, config, address string, args []string) (p *program.Process, missing string, err error) {
	binary, err := exec.LookPath(name)
	if err != nil {
		return nil, name + " is not installed", nil //nolint:nilerr // it is left out of the report
	}
	home = filepath.Join(b.dir, home)
	if err := writeFile(home, "config", config); err != nil {
		return nil, "", err
	}
	if p, err = start(ctx, home, binary, args...); err != nil {
		return nil, "", err
	}
	return p, "", p.Listens(ctx, address)
}

// startCaddyfile starts Lamplighter or Caddy, and waits until it listens.
func (b *bench) startCaddyfile(ctx context.Context, binary, home, config, address string, env ...string) (*program.Process, error) {
	home = filepath.Join(b.dir, home)
	if err := writeFile(home, "Caddyfile", config); err != nil {
		return nil, err
	}
	p, err := startWith(ctx, env, home, binary, "run", "--config", "Caddyfile")
	if err != nil {
		return nil, err
	}
	return p, p.Listens(ctx, address)
}

// start starts a program that has the secret of all clients in its environment.
func start(ctx context.Context, home, binary string, args ...string) (*program.Process, error) {
	return startWith(ctx, nil, home, binary, args...)
}

// startWith is start with further variables of the environment.
func startWith(ctx context.Context, env []string, home, binary string, args ...string) (*program.Process, error) {
	return program.Start(ctx, home, append([]string{"BENCH_SECRET=" + secret}, env...), binary, args...)
}

func writeFile(dir, name, content string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)
}
