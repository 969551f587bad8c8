package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"lamplighter/bench/program"
)

// What a kept answer of serve_token may cost an nginx, and what nginx with it may
// cost beside Caddy.
const (
	cachedOfStatic = 1.5
	cachedOfCaddy  = 0.6
)

// serving are the proxies that get their token from serve_token, and those without.
type serving struct {
	nginx, again, each, cached *proxy
	haproxy, script, task      *proxy
	caddy, front               *proxy
	token, cache               string // sockets of serve_token
}

func (s *serving) all() []*proxy {
	return []*proxy{s.nginx, s.again, s.each, s.cached, s.haproxy, s.script, s.task, s.caddy, s.front}
}

// measureServing sends the same requests through each of them in turn.
func measureServing(ctx context.Context, b *bench) ([]row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	auth := &authServer{oneToken: true, lifetime: time.Hour}
	if err := auth.serve(ctx); err != nil {
		return nil, err
	}
	defer auth.close()
	s, err := startServing(ctx, b, auth)
	defer s.stop()
	if err != nil {
		return nil, err
	}
	busy, calm := pick(b, 300*time.Millisecond, 100*time.Millisecond), pick(b, 400*time.Millisecond, 100*time.Millisecond)
	const rate = 1000 // requests a second, for latency
	err = turns(s.all(), pick(b, 18, 1), func(p *proxy, counts bool) error {
		if err := p.measure(ctx, busy, counts); err != nil {
			return err
		}
		return p.measureLatency(ctx, calm, rate, counts)
	})
	return s.rows(), err
}

// rows compares each with an nginx whose token never changes, and some with others.
func (s *serving) rows() (rows []row) {
	pairs := []struct {
		p, base *proxy
		beside  string  // what tells it from the same proxy beside nginx, in the plot
		limit   float64 // of the CPU
	}{
		{s.again, s.nginx, "", 0},
		{s.each, s.nginx, "", 0},
		{s.cached, s.nginx, "", cachedOfStatic},
		{s.haproxy, s.nginx, "", 0},
		{s.script, s.nginx, "", 0},
		{s.task, s.nginx, "", 0},
		{s.caddy, s.nginx, "", 0},
		{s.front, s.nginx, "", 0},
		{s.each, s.caddy, ", beside Caddy", 0},
		{s.cached, s.caddy, ", beside Caddy", cachedOfCaddy},
		{s.script, s.haproxy, ", beside HAProxy", 0},
		{s.task, s.haproxy, ", beside HAProxy", 0},
	}
	for _, pair := range pairs {
		r := compare(pair.p, pair.base, pair.beside+": CPU per request", pair.p.cpu, pair.base.cpu)
		if pair.limit > 0 {
			r.target = target{ratioAtMost, pair.limit}
		}
		rows = append(rows, r)
	}
	for _, pair := range pairs {
		if pair.base == s.nginx {
			rows = append(rows, compare(pair.p, pair.base, ": p99", pair.p.p99, pair.base.p99))
		}
	}
	return rows
}

// compare is a row of microseconds, unless one of the two is not measured.
func compare(p, base *proxy, what string, ours, theirs []float64) row {
	return row{
		what: p.what + what, baseline: base.what, unit: microseconds, ours: ours, base: theirs,
		missing: cmp.Or(p.missing, base.missing), invalid: errors.Join(base.invalid, p.invalid),
	}
}

// startServing starts them all, as docs/serving.md shows them but for addresses, and
// for what all of them say to the API in the same way.
func startServing(ctx context.Context, b *bench, auth *authServer) (*serving, error) {
	s := &serving{
		nginx:   &proxy{what: "nginx, static header"},
		again:   &proxy{what: "the same once more (noise)"},
		each:    &proxy{what: "nginx, serve_token for each request"},
		cached:  &proxy{what: "nginx, serve_token cached"},
		haproxy: &proxy{what: "HAProxy, static header"},
		script:  &proxy{what: "HAProxy, serve_token for each request"},
		task:    &proxy{what: "HAProxy, serve_token once a second"},
		caddy:   &proxy{what: "stock Caddy, header_up"},
		front:   &proxy{what: "upstream_oauth"},
	}
	for _, p := range s.all() {
		var err error
		if p.address, err = program.FreeAddress(ctx); err != nil {
			return s, err
		}
	}
	home := "serving-lamplighter"
	s.token, s.cache = filepath.Join(b.dir, home, "token.sock"), filepath.Join(b.dir, home, "cached.sock")
	config := "{\n\toauth2_client bench " + client(auth, "") + "}\n" + tokenSite(s.token, "") + tokenSite(s.cache, "cache") + frontSite(auth, s.front.address, "bench\n")
	var err error
	if s.front.process, err = b.startCaddyfile(ctx, b.lamplighter, home, config, s.front.address); err != nil {
		return s, err
	}
	if s.caddy.process, err = b.startCaddyfile(ctx, b.caddy, "serving-caddy", caddySite(auth, s.caddy.address), s.caddy.address); err != nil {
		return s, err
	}
	if err := errors.Join(s.startNginx(ctx, b, auth), s.startHAProxy(ctx, b, auth)); err != nil {
		return s, err
	}
	for _, p := range s.all() {
		if p.missing != "" {
			continue
		}
		if _, err := p.process.Answers(ctx, program.Patience, "http://"+p.address+"/orders"); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *serving) stop() {
	for _, p := range s.all() {
		if p.process != nil {
			p.process.Stop()
		}
	}
}

// tokenSite is a site with serve_token on a socket.
func tokenSite(socket, block string) string {
	return fmt.Sprintf("http:// {\n\tbind unix/%s|0660\n\tserve_token /erp* bench {\n\t\t%s\n\t}\n}\n", socket, block)
}
