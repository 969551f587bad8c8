package stores

import (
	"net/http"
	"os"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestFollowersLearnOfARotationAtOnce measures from the authorization server's answer to
// one replica until the others have the token. Nobody calls them: a 401 would tell too.
func TestFollowersLearnOfARotationAtOnce(t *testing.T) {
	rotations := 10
	if os.Getenv("LAMPLIGHTER_CYCLES") != "" {
		rotations = 40 // of which a history still tells
	}
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, backend(t), 0, 10*time.Second)
			rig.Eventually(t, "they have begun", d.rotated(0))
			begun := d.servers.Stats().Generation
			time.Sleep(time.Duration(rotations) * 4 * time.Second / 3) // no sooner is a token replaced
			rig.Eventually(t, "the last rotation", func() bool { return d.servers.Stats().Generation >= begun+rotations })
			answered := d.answered()
			var took []time.Duration
			for _, r := range d.replicas {
				for _, e := range r.restored() {
					if at, ok := answered[e.Generation]; ok && e.Generation > begun {
						took = append(took, e.At.Sub(at))
					}
				}
			}
			t.Logf("%d rotations; the others had the token after %s", len(answered), spread(took))
			if len(took) < rotations || percentile(took, 0.5) > 500*time.Millisecond {
				t.Errorf("%d replicas learned of it, the usual one after %s", len(took), percentile(took, 0.5))
			}
		})
	}
}

// answered returns when each generation was answered.
func (d *deployment) answered() map[int]time.Time {
	all := make(map[int]time.Time)
	for _, a := range d.gateway.since(time.Time{}) {
		if a.status == http.StatusOK {
			all[len(all)+1] = a.ended
		}
	}
	return all
}

// event is one of a client's history.
type event struct {
	At         time.Time
	Event      string
	Generation int
}

// restored returns when a replica took over what another one had obtained.
func (r *replica) restored() (all []event) {
	r.T.Helper()
	s, err := r.status()
	if err != nil {
		r.T.Fatal(err)
	}
	for _, e := range s.History {
		if e.Event == "token_restored" {
			all = append(all, e)
		}
	}
	return all
}
