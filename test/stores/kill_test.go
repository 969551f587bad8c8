package stores

import (
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestSIGKILLAtEveryStepIsSafeForWhoFollows kills a replica at each step of a refresh, while
// another one follows. That takes over: it has the new token if that was written, presents
// the refresh token if nobody did, and else says that the answer is lost.
func TestSIGKILLAtEveryStepIsSafeForWhoFollows(t *testing.T) {
	t.Parallel()
	mortal := filepath.Join(t.TempDir(), "lamplighter")
	if err := rig.Build(mortal, rig.Tags+",failpoint"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		failpoint string
		obtained  bool // the authorization server has answered
		written   bool // and the answer is in the store
	}{
		{"before-journal", false, false},
		{"after-journal", false, false},
		{"before-send", false, false},
		{"after-send", true, false},
		{"after-headers", true, false},
		{"after-parse", true, false}, // and before it is written
		{"before-publish", true, true},
	} {
		t.Run(test.failpoint, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, redisAlone(t), 2*time.Second, 2*time.Second, "1h")
			follower := d.start("follower")
			rig.Eventually(t, "it has a token", serves(follower, 1))
			victim := d.startMortal(mortal, test.failpoint)
			rig.Eventually(t, "the victim has it, too", serves(victim, 1))
			go func() { _ = victim.ask(http.MethodPost, "clients/demo/refresh", nil, nil) }()
			rig.Eventually(t, "the victim is killed", victim.Ended)
			if status := victim.Cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
				t.Fatalf("it ended otherwise: %v", victim.Err)
			}
			switch {
			case test.written:
				rig.Eventually(t, "the follower has the new token", serves(follower, 2))
				d.counts(2, 0)
			case test.obtained:
				d.isLost(follower)
			default:
				d.counts(1, 0)
				d.takesOver(follower)
			}
		})
	}
}

// redisAlone is a server whose writes wait for its file.
func redisAlone(t *testing.T) *backend {
	server := rig.StartRedis(t, "redis-server", kept...)
	return &backend{
		kind: "redis", address: server.Address,
		options: func(address string) string { return "address " + address + "\n\t\tdurability aof" },
	}
}

// startMortal starts a replica that is killed at a step of its first refresh.
func (d *deployment) startMortal(binary, failpoint string) *replica {
	d.t.Helper()
	r, address := d.made("victim")
	env := append(rig.Environment(r.home), "CADDY_ADMIN="+r.socket(), "LAMPLIGHTER_FAILPOINT="+failpoint)
	r.Sidecar = &rig.Sidecar{
		Process: rig.StartBinary(d.t, binary, r.home, env, "run", "--config", "Caddyfile", "--adapter", "caddyfile"), Address: address,
	}
	return r
}

// serves reports whether a replica serves that generation.
func serves(r *replica, generation int) func() bool {
	client := &http.Client{Timeout: time.Second}
	return func() bool {
		got, err := get(client, r.Address)
		return err == nil && got == generation
	}
}

// counts fails unless the authorization server was asked so often.
func (d *deployment) counts(requests, refused int) {
	d.t.Helper()
	if s := d.servers.Stats(); s.TokenRequests != requests || s.Refused != refused || s.Spent != refused {
		d.t.Errorf("%d token requests and %d refused, not %d and %d: %+v", s.TokenRequests, s.Refused, requests, refused, s)
	}
}

// takesOver: what nobody has presented is presented by who follows, once, when it is asked
// to; and its token is served meanwhile.
func (d *deployment) takesOver(r *replica) {
	d.t.Helper()
	// It waits a little for the answer of who seems to ask.
	if generation, err := get(&http.Client{Timeout: rig.Patience}, r.Address); err != nil || generation != 1 {
		d.t.Errorf("the follower does not serve the token that it has: %d, %v", generation, err)
	}
	ordered := fmt.Errorf("nobody asked yet")
	rig.Eventually(d.t, "the follower refreshes", func() bool {
		if ordered != nil {
			ordered = r.ask(http.MethodPost, "clients/demo/refresh", nil, nil)
		}
		return serves(r, 2)()
	})
	d.counts(2, 0)
}

// isLost: the one refresh token that there is has been presented, and its answer is gone with
// who got it. Who follows says so, after it tried what may be tried.
func (d *deployment) isLost(r *replica) {
	d.t.Helper()
	client := &http.Client{Timeout: time.Second}
	var s status
	rig.Eventually(d.t, "the follower says that the grant is lost", func() (lost bool) {
		_, _ = get(client, r.Address) // whose token is refused now
		var err error
		s, err = r.status()
		return err == nil && s.State == "grant_lost"
	})
	if s.Cause != "response_lost" {
		d.t.Errorf("%+v", s)
	}
	if stats := d.servers.Stats(); stats.Generation != 2 || stats.Refused != stats.Spent || stats.TokenRequests != 2+stats.Refused || stats.Refused < 1 || stats.Refused > 2 {
		d.t.Errorf("%+v", stats)
	}
}
