package test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/test/internal/apiserver"
	"lamplighter/test/internal/manifest"
	"lamplighter/test/internal/rig"
)

// replicas are processes that share a grant through a real API server, and the
// endpoints that a service would have.
type replicas struct {
	t       *testing.T
	api     *apiserver.Server
	servers *demoServers
	token   string
	options string

	mu        sync.Mutex
	endpoints []*rig.Sidecar
	next      int
}

// start starts a replica, and puts it among the endpoints once it is ready, as a kubelet
// asks that.
func (r *replicas) start() *rig.Sidecar {
	r.t.Helper()
	home, address := rig.Home(r.t), rig.FreeAddress(r.t)
	store := fmt.Sprintf("\tshutdown_delay 500ms\n\toauth2_store kubernetes {\n\t\tobjects named\n\t\tnamespace default\n\t\tapi %s\n\t\tca_file %s\n\t\ttoken_file %s\n%s\t}\n",
		r.api.URL, r.api.CAFile, r.token, r.options)
	rig.Write(r.t, home, "Caddyfile", strings.NewReplacer("{\n\tgrace", "{\n"+store+"\tgrace", "client demo", "client erp").Replace(r.servers.caddyfile(address)))
	s := rig.RunSidecar(r.t, home, address)
	rig.Eventually(r.t, "the replica is ready", func() bool {
		_, _, code := rig.Command(r.t, home, "tokens", "health", "--ready")
		return code == 0
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endpoints = append(r.endpoints, s)
	return s
}

// end ends a replica as a kubelet does: endpoints know of it a moment later.
func (r *replicas) end(s *rig.Sidecar) {
	r.t.Helper()
	time.AfterFunc(100*time.Millisecond, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, e := range r.endpoints {
			if e == s {
				r.endpoints = append(r.endpoints[:i:i], r.endpoints[i+1:]...)
				return
			}
		}
	})
	if err := s.End(rig.Terminate); err != nil {
		r.t.Errorf("it ended with %v", err)
	}
}

// call sends a request to one of the endpoints.
func (r *replicas) call() rig.Answer {
	r.mu.Lock()
	r.next++
	s := r.endpoints[r.next%len(r.endpoints)]
	r.mu.Unlock()
	return rig.Get(r.t, s.Address, "/")
}

// TestKubernetesRolloutDuringRotationsFailsNoRequest plays the controller of the
// Deployment of three in the examples, with maxSurge 1: a new pod is ready before an old
// one ends. Meanwhile the token is rotated every two seconds.
func TestKubernetesRolloutDuringRotationsFailsNoRequest(t *testing.T) {
	r := &replicas{t: t, api: apiserver.Start(t), servers: startDemoServers(t, "3s")}
	for _, o := range manifest.Service(t, "kubernetes-service", "") {
		r.api.Apply(t, "default", string(o.Text))
	}
	r.token = r.api.Account(t, "default", "lamplighter")
	var old []*rig.Sidecar
	for range 3 {
		old = append(old, r.start())
	}
	begun := r.servers.stats()
	var asked, failed atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			asked.Add(1)
			if got := r.call(); got.Status != 200 {
				failed.Add(1)
				t.Errorf("got %v", got)
			}
		}
	}()
	for _, s := range old {
		r.start()
		r.end(s)
	}
	rig.Eventually(t, "the token is rotated on", func() bool { return r.servers.stats().Generation >= begun.Generation+5 })
	close(stop)
	<-done
	stats := r.servers.stats()
	t.Logf("%d requests, %d failed, %d token requests for %d generations", asked.Load(), failed.Load(), stats.TokenRequests, stats.Generation)
	if stats.Spent != 0 || stats.TokenRequests != stats.Generation {
		t.Errorf("%+v: replicas did not take turns", stats)
	}
	if _, err := os.Stat(filepath.Join(old[0].Cmd.Dir, "data", "caddy", "oauth2_client", "erp.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a record is kept in a file: %v", err)
	}
}
