package test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestProofsUnderLoadFailNoRequestAndAreNotRepeated lets callers send requests over rotations that
// kill the old access token, to servers that want a proof with each request, remember proofs, and
// change their nonces every second. Half way the sidecar is killed, and goes on with its key.
func TestProofsUnderLoadFailNoRequestAndAreNotRepeated(t *testing.T) {
	t.Parallel()
	const rotations = 12
	servers := &demoServers{rig.StartDemo(t, "2s", "--dpop"), t}
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "Caddyfile", strings.Replace(servers.caddyfile(address), "provider tencent_eiam", "dpop\n\t\t\tprovider tencent_eiam", 1))

	var answered atomic.Int64
	load := func(until int) {
		sidecar := rig.RunSidecar(t, dir, address)
		var done atomic.Bool
		var callers sync.WaitGroup
		for caller := range 4 {
			callers.Go(func() {
				for !done.Load() && !t.Failed() {
					if err := provingCall(address, caller%2 == 0); err != nil {
						t.Errorf("after %d answers: %v", answered.Load(), err)
						return
					}
					answered.Add(1)
				}
			})
		}
		rig.Eventually(t, "rotations", func() bool { return t.Failed() || servers.stats().Generation > until })
		done.Store(true)
		callers.Wait()
		sidecar.Kill()
	}
	load(rotations / 2)
	load(rotations)
	stats := servers.stats()
	if stats.ReplayedProofs != 0 || stats.Spent != 0 || stats.Refused != 0 || stats.NoncesDemanded == 0 || answered.Load() < 4*rotations {
		t.Errorf("%d answers, %+v", answered.Load(), stats)
	}
	if int64(stats.Proofs) < answered.Load() {
		t.Errorf("%d answers, and %d proofs", answered.Load(), stats.Proofs)
	}
	t.Logf("%d answers and %d proofs over %d rotations; %d nonces were demanded", answered.Load(), stats.Proofs, stats.Generation, stats.NoncesDemanded)
}

func provingCall(address string, get bool) error {
	var res *http.Response
	var err error
	if get {
		res, err = http.Get("http://" + address + "/orders")
	} else {
		res, err = http.Post("http://"+address+"/orders", "text/plain", strings.NewReader(strings.Repeat("a body ", 1000)))
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || err != nil {
		return fmt.Errorf("%d %s %w", res.StatusCode, body, err)
	}
	return nil
}

// What proves the key is in no log, status, metric or trace of the sidecar.
func TestNoProofAndNoKeyIsPrinted(t *testing.T) {
	t.Parallel()
	servers := &demoServers{rig.StartDemo(t, "2s", "--dpop"), t}
	dir, address := rig.Home(t), rig.FreeAddress(t)
	config := strings.Replace(servers.caddyfile(address), "provider tencent_eiam", "dpop\n\t\t\tprovider tencent_eiam", 1)
	rig.Write(t, dir, "Caddyfile", strings.Replace(config, "{\n", "{\n\tdebug\n", 1))
	sidecar := rig.RunSidecar(t, dir, address)
	rig.Eventually(t, "three rotations", func() bool {
		if err := provingCall(address, true); err != nil {
			t.Log(err)
		}
		return servers.stats().Generation > 3
	})
	text := sidecar.Output.String()
	for _, secret := range []string{"eyJ0eXAiOiJkcG9w", "PRIVATE KEY"} { // how a proof begins, and a key
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	record, err := filepath.Glob(filepath.Join(dir, "data", "caddy", "oauth2_client", "demo.json"))
	if err != nil || len(record) != 1 {
		t.Fatalf("%v %v", record, err)
	}
	kept, err := os.ReadFile(record[0])
	if err != nil || !strings.Contains(string(kept), "PRIVATE KEY") {
		t.Errorf("the record does not hold the key: %v", err)
	}
}
