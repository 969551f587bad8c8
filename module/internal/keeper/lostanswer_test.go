package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

// An answer was lost that had replaced the access token: the server refused the repetition, and
// requests went on with a token that had died, which looked valid.
func TestAGrantThatIsLostWithAnAnswerTakesTheAccessTokenThatDiedWithIt(t *testing.T) {
	for _, overlap := range []string{"none", "expiry"} {
		t.Run(overlap, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot(func(s *Settings) { s.Drain = overlap == "none" })
				p.token()
				r.server.next = func(n int) fault {
					if n == 2 {
						return fault{after: time.Minute}
					}
					return fault{}
				}
				if res := p.refresh(false); res.Obtained {
					t.Fatalf("result %+v", res)
				}
				p.tick(2 * time.Minute)
				st := r.wantState(p, StateGrantLost, finding.CauseResponseLost)
				if valid := st.Token == "valid"; valid != (overlap != "none") {
					t.Errorf("its token is %s", st.Token)
				}
				if overlap != "none" {
					return
				}
				if u := p.unavailableAtOnce(); u.Trouble.Cause != finding.CauseResponseLost {
					t.Errorf("got %+v", u)
				}
				p.kill()
				p = r.boot(func(s *Settings) { s.Drain = true })
				if u := p.unavailableAtOnce(); u.Trouble.Cause != finding.CauseResponseLost {
					t.Errorf("after a restart: %+v", u)
				}
			})
		})
	}
}
