package keeper

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

func TestAnotherTokenEndpointIsSentNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		former := r.binding
		r.change(func() { r.binding.Grant, r.binding.TokenEndpoint = 77, "https://elsewhere.example/token" })
		p = r.boot()
		p.tick(3 * time.Hour)
		r.wantRequests(1)
		st := r.wantState(p, StateMisconfigured, finding.CauseRebound)
		for _, said := range []string{p.store.Describe("erp"), former.TokenEndpoint} {
			if !strings.Contains(p.said(st.Trouble).Detail, said) {
				t.Errorf("%q does not name %q", p.said(st.Trouble).Detail, said)
			}
		}
		if p.said(st.Trouble).Remedy == "" {
			t.Error("no remedy")
		}
		p.unavailableAtOnce()

		r.change(func() { r.binding = former })
		p.start()
		p.token()
		r.wantRequests(2)
	})
}

func TestAnotherTokenEndpointWithANewSeedIsANewGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		r.change(func() { r.binding.Grant, r.seed = 77, r.server.login() })
		p = r.boot()
		time.Sleep(time.Second)
		r.wantRequests(2)
		if r.server.requests()[1].token != r.seed || r.disk.stored().Binding != r.binding {
			t.Errorf("record %+v", r.disk.stored())
		}
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAnotherScopeDropsTheTokenAndRefreshes(t *testing.T) {
	for name, restart := range map[string]bool{"after a restart": true, "while it runs": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				old := p.token()
				time.Sleep(time.Minute)
				r.change(func() { r.binding.Request = 78 })
				if restart {
					p.kill()
					p = r.boot()
				} else {
					p.start()
				}
				if token := p.token(); token.AccessToken == old.AccessToken {
					// A request that came before the round looked.
					time.Sleep(time.Second)
				}
				if token := p.token(); token.Generation != 2 {
					t.Errorf("got %+v", token)
				}
				r.wantRequests(2)
				p.tick(30 * time.Minute)
				r.wantRequests(2)
			})
		})
	}
}

func TestATokenOfTheFormerScopeIsNotUsed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		r.server.script(truncated(), dropBefore())
		r.change(func() { r.binding.Request = 78 })
		p = r.newProcess()
		r.killAt("after-save") // the refresh token of the cut-off answer
		p.start()
		time.Sleep(time.Second)
		if !p.dead.Load() {
			t.Fatal("the process was not killed")
		}
		r.server.always(notSent())
		p = r.boot()
		time.Sleep(time.Second)
		if token := p.keeper.Current(); token != nil {
			t.Errorf("a token of the former scope: %+v", token)
		}
	})
}

// A token is for the upstreams that its authorization server is trusted with: the same
// name may stand for another service by now.
func TestATokenOfAnotherAuthorizationServerIsNotUsed(t *testing.T) {
	for name, restart := range map[string]bool{"after a restart": true, "while it runs": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot(func(s *Settings) { s.Bound = 1 })
				old := p.token()
				time.Sleep(time.Minute)
				former := r.binding
				r.change(func() { r.binding.Grant, r.binding.TokenEndpoint = 77, "https://elsewhere.example/token" })
				if restart {
					p.kill()
					p = r.newProcess()
				}
				stop := p.start(func(s *Settings) { s.Bound = 2 })
				p.unavailable()
				r.wantState(p, StateMisconfigured, finding.CauseRebound)
				p.unavailableAtOnce()

				r.change(func() { r.binding = former })
				if !restart {
					stop()
				} else {
					p.start(func(s *Settings) { s.Bound = 1 })
				}
				if token := p.token(); token.AccessToken != old.AccessToken {
					t.Errorf("got %+v after the edit was taken back, %+v before it", token, old)
				}
				r.wantRequests(1)
			})
		})
	}
}

// The store may be away while a configuration is loaded, and settings may stay as they
// are but for their spelling.
func TestATokenThatIsStillWhatIsAskedForOutlastsAReloadWithoutAStore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot(func(s *Settings) { s.Bound = 1 })
		old := p.token()
		r.disk.refuseLoads(errors.New("the disk is away"))
		p.start(func(s *Settings) { s.Bound = 2 })
		if token := p.token(); token.AccessToken != old.AccessToken {
			t.Errorf("got %+v, had %+v", token, old)
		}
		r.wantRequests(1)
	})
}
