package module_test

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
	_ "github.com/caddyserver/caddy/v2/modules/caddyevents/eventsconfig"
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

func (s *sidecar) configWithEvents(names ...string) string {
	subscriptions := ""
	for _, name := range names {
		subscriptions += "\t\ton " + name + " witness\n"
	}
	return strings.Replace(s.config("", ""), "{\n", "{\n\tevents {\n"+subscriptions+"\t}\n", 1)
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
	as := newRotating(t)
	as.lifetime = 3 // refreshed after about two seconds
	s := newSidecar(t, as)
	s.load(s.configWithEvents("token_obtained", "token_refresh_failed", "refresh_token_rotated", "grant_lost", "seed_refused"))
	eventually(t, "the first token", sawEvent("token_obtained erp 1  oauth2_client"))
	eventually(t, "its rotation", sawEvent("refresh_token_rotated erp 1  oauth2_client"))

	as.mu.Lock()
	as.answer = func(w http.ResponseWriter) bool { w.WriteHeader(503); return true }
	as.mu.Unlock()
	eventually(t, "a failure", sawEvent("token_refresh_failed erp 1 server_error oauth2_client"))

	as.mu.Lock()
	as.answer, as.refreshToken = nil, "revoked"
	as.mu.Unlock()
	eventually(t, "the loss", sawEvent("grant_lost erp 1 "))
	for _, e := range witnessedEvents() {
		for _, secret := range as.everything {
			if strings.Contains(e, secret) {
				t.Errorf("the event %q holds a secret", e)
			}
		}
	}
}

// Fault A1: a handler is not ours, and its panic ends nothing but itself.
func TestAPanicOfAnEventHandlerEndsNothingElse(t *testing.T) {
	forgetWitnessed(t, func() { panic("s3cret-of-a-handler") })
	as := newRotating(t)
	as.lifetime = 3
	s := newSidecar(t, as)
	s.load(s.configWithEvents("token_obtained", "refresh_token_rotated"))
	eventually(t, "the first token", sawEvent("token_obtained erp 1  oauth2_client"))
	eventually(t, "the second token", sawEvent("token_obtained erp 2  oauth2_client"))
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	log, err := os.ReadFile(s.log)
	if err != nil || !strings.Contains(string(log), "panic at ") || strings.Contains(string(log), "s3cret-of-a-handler") {
		t.Errorf("the log has %s (%v)", log, err)
	}
}

func TestARefusedSeedIsAnEvent(t *testing.T) {
	forgetWitnessed(t, nil)
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.configWithEvents("seed_refused"))
	s.do("GET", "/", "")
	if err := os.WriteFile(filepath.Join(s.dir, "seed"), []byte("another-seed-that-is-forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.load(s.configWithEvents("seed_refused") + "\n")
	eventually(t, "the refusal", sawEvent("seed_refused erp 1 seed_refused oauth2_client"))
}

func TestAHandlerThatHangsHoldsUpNoRefreshAndNoReload(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	forgetWitnessed(t, func() { <-release })
	as := newRotating(t)
	as.lifetime = 3
	s := newSidecar(t, as)
	s.load(s.configWithEvents("token_obtained"))
	eventually(t, "the handler hangs", sawEvent("token_obtained erp 1"))
	eventually(t, "a refresh", func() bool { n, _, _ := as.count(); return n > 1 })
	began := time.Now()
	s.load(s.config("wait 9s", ""))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the reload took %v", took)
	}
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}
