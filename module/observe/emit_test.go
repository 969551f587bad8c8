package observe_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/moduletest"
)

func init() { caddy.RegisterModule(witness{}) }

// witness is an event handler that writes down what it is told.
type witness struct{}

var (
	witnessed   []string
	witnessedMu sync.Mutex
	witnessing  func() // called by every handler, unless nil
)

func (witness) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.witness", New: func() caddy.Module { return new(witness) }}
}

func (*witness) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (*witness) Handle(ctx context.Context, e caddy.Event) error {
	repl := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	text := repl.ReplaceAll("{event.name} {event.data.client} {event.data.generation} {event.data.cause} {event.module}", "")
	witnessedMu.Lock()
	witnessed = append(witnessed, text+fmt.Sprint(e.Data))
	hang := witnessing
	witnessedMu.Unlock()
	if hang != nil {
		hang()
	}
	return nil
}

func witnessedEvents() []string {
	witnessedMu.Lock()
	defer witnessedMu.Unlock()
	return slices.Clone(witnessed)
}

func forgetWitnessed(t *testing.T, handler func()) {
	witnessedMu.Lock()
	witnessed, witnessing = nil, handler
	witnessedMu.Unlock()
	t.Cleanup(func() {
		witnessedMu.Lock()
		witnessed, witnessing = nil, nil
		witnessedMu.Unlock()
	})
}

func sawEvent(text string) func() bool {
	return func() bool {
		return slices.ContainsFunc(witnessedEvents(), func(e string) bool { return strings.HasPrefix(e, text) })
	}
}

func TestHandlersOfTheEventsOptionHearWhatHappensToClients(t *testing.T) {
	forgetWitnessed(t, nil)
	as := moduletest.NewRotating(t)
	as.Lifetime = 3 // refreshed after about two seconds
	s := moduletest.NewSidecar(t, as)
	s.Load(s.ConfigWithEvents("token_obtained", "token_refresh_failed", "refresh_token_rotated", "grant_lost", "seed_refused"))
	moduletest.Eventually(t, "the first token", sawEvent("token_obtained erp 1  oauth2_client"))
	moduletest.Eventually(t, "its rotation", sawEvent("refresh_token_rotated erp 1  oauth2_client"))

	as.Lock()
	as.Answer = func(w http.ResponseWriter) bool { w.WriteHeader(503); return true }
	as.Unlock()
	moduletest.Eventually(t, "a failure", sawEvent("token_refresh_failed erp 1 server_error oauth2_client"))

	as.Lock()
	as.Answer, as.RefreshToken = nil, "revoked"
	as.Unlock()
	moduletest.Eventually(t, "the loss", sawEvent("grant_lost erp 1 "))
	for _, e := range witnessedEvents() {
		for _, secret := range as.Everything {
			if strings.Contains(e, secret) {
				t.Errorf("the event %q holds a secret", e)
			}
		}
	}
}

// Fault A1: a handler is not ours, and its panic ends nothing but itself.
func TestAPanicOfAnEventHandlerEndsNothingElse(t *testing.T) {
	forgetWitnessed(t, func() { panic("s3cret-of-a-handler") })
	as := moduletest.NewRotating(t)
	as.Lifetime = 3
	s := moduletest.NewSidecar(t, as)
	s.Load(s.ConfigWithEvents("token_obtained", "refresh_token_rotated"))
	moduletest.Eventually(t, "the first token", sawEvent("token_obtained erp 1  oauth2_client"))
	moduletest.Eventually(t, "the second token", sawEvent("token_obtained erp 2  oauth2_client"))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), "panic at ") || strings.Contains(string(log), "s3cret-of-a-handler") {
		t.Errorf("the log has %s (%v)", log, err)
	}
}

func TestARefusedSeedIsAnEvent(t *testing.T) {
	forgetWitnessed(t, nil)
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.ConfigWithEvents("seed_refused"))
	s.Do("GET", "/", "")
	if err := os.WriteFile(filepath.Join(s.Dir, "seed"), []byte("another-seed-that-is-forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Load(s.ConfigWithEvents("seed_refused") + "\n")
	moduletest.Eventually(t, "the refusal", sawEvent("seed_refused erp 1 seed_refused oauth2_client"))
}

func TestAHandlerThatHangsHoldsUpNoRefreshAndNoReload(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	forgetWitnessed(t, func() { <-release })
	as := moduletest.NewRotating(t)
	as.Lifetime = 3
	s := moduletest.NewSidecar(t, as)
	s.Load(s.ConfigWithEvents("token_obtained"))
	moduletest.Eventually(t, "the handler hangs", sawEvent("token_obtained erp 1"))
	moduletest.Eventually(t, "a refresh", func() bool { n, _, _ := as.Count(); return n > 1 })
	began := time.Now()
	s.Load(s.Config("wait 9s", ""))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the reload took %v", took)
	}
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}
