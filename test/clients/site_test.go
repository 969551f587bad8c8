package clients

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// site is an address of the sidecar, with a client and an upstream of its own.
type site struct {
	name     string
	upstream string // what stands behind upstream_oauth
	issuer   *issuer
	overlap  string // rotation_overlap
	block    string // further subdirectives of upstream_oauth
	settings string // further settings of the client
	options  string // of the server that listens

	address string
}

// URL is where applications call.
func (s *site) URL(path string) string { return "http://" + s.address + path }

// addresses are those of sites, for a program that calls them.
func addresses(sites []*site) (list []string) {
	for _, s := range sites {
		list = append(list, s.address)
	}
	return list
}

// caddyfile is what the site is in a Caddyfile, and the global options that it
// needs.
func (s *site) caddyfile(name string) (global, block string) {
	host, port, _ := net.SplitHostPort(s.address)
	if s.options != "" {
		global = fmt.Sprintf("\tservers %s {\n%s\n\t}\n", s.address, s.options)
	}
	return global, fmt.Sprintf(`http://:%s {
	bind %s
	upstream_oauth %s {
		client %s {
			token_endpoint %s/token
			client_id app
			client_secret {file.secret}
			refresh_token {file.%s.seed}
			rotation required
			rotation_overlap %s
			refresh_window_ratio 1/2
%s
		}
%s
	}
}
`, port, host, s.upstream, name, s.issuer.URL, name, s.overlap, s.settings, s.block)
}

// runSites starts a sidecar with sites, and waits until each has a token.
func runSites(t *testing.T, sites ...*site) {
	t.Helper()
	dir := rig.Home(t)
	rig.Write(t, dir, "secret", "secret-of-the-application")
	var global, blocks strings.Builder
	for i, s := range sites {
		s.address = quietAddress(t)
		name := fmt.Sprintf("app-%d", i)
		rig.Write(t, dir, name+".seed", s.issuer.seed)
		options, block := s.caddyfile(name)
		global.WriteString(options)
		blocks.WriteString(block)
	}
	rig.Write(t, dir, "Caddyfile", fmt.Sprintf("{\n\tgrace_period 5s\n%s}\n%s", global.String(), blocks.String()))
	p := rig.Start(t, dir, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	for _, s := range sites {
		rig.Eventually(t, s.name+" listens and has a token", func() bool {
			if p.Ended() {
				t.Fatalf("the sidecar ended: %v", p.Err)
			}
			return rig.Serves(s.address) && s.issuer.generation() > 0
		})
	}
}

// quietAddress returns an address where nothing listens, on a loopback address of
// its own: the many connections of the clients take their ports from 127.0.0.1.
func quietAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		return rig.FreeAddress(t) // not Linux
	}
	defer listener.Close()
	return listener.Addr().String()
}

// rotations is how many replacements of its token a client must get through.
const rotations = 3

// rotated returns a function that reports whether the tokens of all sites have
// been replaced often enough since.
func rotated(sites ...*site) func() bool {
	from := make([]int, len(sites))
	for i, s := range sites {
		from[i] = s.issuer.generation()
	}
	return func() bool {
		for i, s := range sites {
			if s.issuer.generation() < from[i]+rotations {
				return false
			}
		}
		return true
	}
}

// drive runs a program that makes calls until its standard input ends, while the
// tokens of all sites are replaced. It prints how many calls it made, and ends
// with an error if one of them failed.
func drive(t *testing.T, cmd *exec.Cmd, sites ...*site) {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output := new(rig.Output)
	cmd.Stdout, cmd.Stderr = output, output
	done := rotated(sites...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	rig.Eventually(t, fmt.Sprintf("%d rotations", rotations), func() bool { return done() || len(ended) > 0 })
	_ = input.Close()
	if err := <-ended; err != nil {
		t.Errorf("%s: %v", cmd.Args[0], err)
	}
	t.Logf("%s%s", output, rejections(sites...))
}

// rejections says how often an API rejected a token, which the sidecar replaced.
func rejections(sites ...*site) string {
	var words strings.Builder
	for _, s := range sites {
		s.issuer.mu.Lock()
		fmt.Fprintf(&words, "%s: %d tokens, %d requests rejected and sent again\n", s.name, len(s.issuer.access), s.issuer.rejected)
		s.issuer.mu.Unlock()
	}
	return words.String()
}
