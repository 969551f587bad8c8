package keeper

import (
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/record"
)

// replaced lets a process refresh, and returns the token before and after.
func (p *machine) replaced() (former, token *Token) {
	p.rig.Helper()
	former = p.token()
	if res, err := p.keeper.Refresh(p.rig.Context(), false); err != nil || !res.Obtained {
		p.rig.Fatalf("%v %+v", err, res)
	}
	return former, p.token()
}

// Fault B8.
func TestTheTokenBeforeAYoungOneIsKeptForAMoment(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		former, token := p.replaced()
		if pass, ok := p.keeper.Former(token); !ok || pass.Token != former || !pass.Former {
			t.Errorf("got %+v", pass)
		}
		if pass, ok := p.keeper.Former(former); ok {
			t.Errorf("before the former one there is %+v", pass)
		}
		time.Sleep(young)
		synctest.Wait()
		if pass, ok := p.keeper.Former(token); ok || p.keeper.former.Load() != nil {
			t.Errorf("after %v there is still %+v", young, pass)
		}
	})
}

func TestAPredecessorIsOfUseOnlyWhileItIsValidAndAllowed(t *testing.T) {
	for name, unfit := range map[string]func(r *rig, p *machine){
		"it has expired": func(r *rig, _ *machine) { r.stepClock(31 * time.Minute) },
		"it was replaced by one that it does not outlive": func(_ *rig, p *machine) { p.start(drain) },
		"no token is left": func(_ *rig, p *machine) {
			p.keeper.mu.Lock()
			defer p.keeper.mu.Unlock()
			p.keeper.state = grant.New(p.name(), 2)
			p.keeper.publish()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				time.Sleep(30 * time.Minute)
				_, token := p.replaced()
				if _, ok := p.keeper.Former(token); !ok {
					t.Fatal("there is none to begin with")
				}
				unfit(r, p)
				if pass, ok := p.keeper.Former(token); ok {
					t.Errorf("got %+v", pass)
				}
			})
		})
	}
}

func TestATokenOfAnotherLogInIsNoPredecessor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(time.Minute)
		if res, err := p.keeper.Import(t.Context(), r.server.login(), false); err != nil || !res.Obtained {
			t.Fatalf("%v %+v", err, res)
		}
		if pass, ok := p.keeper.Former(p.token()); ok {
			t.Errorf("got %+v", pass)
		}
	})
}

// A process knows the predecessors that it held itself, whoever obtained the token.
func TestAPredecessorIsTheTokenOfTheGenerationBefore(t *testing.T) {
	at := &record.AccessToken{Request: 1, Grant: 2, Lineage: 3}
	for name, test := range map[string]struct {
		was, is grant.Live
		kept    bool
	}{
		"the next":         {grant.Live{Token: at, Generation: 4}, grant.Live{Token: at, Generation: 5}, true},
		"one in between":   {grant.Live{Token: at, Generation: 4}, grant.Live{Token: at, Generation: 6}, false},
		"of another scope": {grant.Live{Token: at, Generation: 4}, grant.Live{Token: &record.AccessToken{Request: 7, Grant: 2, Lineage: 3}, Generation: 5}, false},
		"of another place": {grant.Live{Token: at, Generation: 4}, grant.Live{Token: &record.AccessToken{Request: 1, Grant: 7, Lineage: 3}, Generation: 5}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := New("erp", nil, nil)
			k.keepFormer(&test.was, &test.is, &Token{Generation: test.was.Generation})
			if kept := k.former.Load() != nil; kept != test.kept {
				t.Errorf("%s: kept %v", name, kept)
			}
			k.keepFormer(nil, &test.is, nil)
			if k.former.Load() != nil {
				t.Errorf("%s: a process that held none has one", name)
			}
			time.Sleep(young)
		})
	}
}

func TestATokenThatAnUpstreamRefusedIsNoPredecessor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		first := p.token()
		time.Sleep(time.Minute)
		if v := p.keeper.Unauthorized(t.Context(), first, 10*time.Second); v != Renewed {
			t.Fatalf("verdict %v", v)
		}
		if pass, ok := p.keeper.Former(p.token()); ok {
			t.Errorf("got %+v", pass)
		}
	})
}
