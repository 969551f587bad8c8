package stores

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"lamplighter/test/internal/rig"
)

// trusts is how long a replica that is cut off from the store may go on as a holder: it trusts its
// lease for two thirds of that, and what it journaled in time it may still be about to send.
func (c *cycles) trusts() time.Duration { return max(writes, c.lease*2/3) }

// writes is how long after an answer the write of it may still be under way.
const writes = time.Second

// judge says whether what the authorization server saw is what the protocol explains.
func (c *cycles) judge(n int, i incident, asked []asking, ok bool) {
	c.t.Helper()
	var answer *asking // the last one that was given
	taken := !i.asking || i.kind != "kill"
	for _, a := range asked {
		switch {
		case a.status == http.StatusOK:
			answer = &a
			if !taken && a.replica != i.victims[0] {
				c.takeovers = append(c.takeovers, a.ended.Sub(i.from))
			}
			taken = true
		case a.status == 0:
		case a.status == http.StatusUnauthorized && answer != nil && i.kept(*answer):
			c.spent++
		default:
			c.t.Errorf("cycle %d: %s, and then %s was refused what nobody else could have spent:%s", n, i, a.replica, list(asked))
		}
		if i.kind == "partition" && slices.Contains(i.victims, a.replica) && a.begun.After(i.from.Add(c.trusts())) && a.begun.Before(i.to) {
			c.t.Errorf("cycle %d: %s, and %s later it asked all the same:%s", n, i, a.begun.Sub(i.from), list(asked))
		}
	}
	switch {
	case ok:
	case i.kind == "kill" && answer != nil && i.kept(*answer):
		c.lost++
		c.login()
	default:
		c.t.Errorf("cycle %d: %s, and %s later not all serve a new token:%s\n%s", n, i, c.bound(i.kind), list(asked), c.statuses())
	}
}

// kept reports whether a fault may have kept an answer from the store.
func (i incident) kept(answer asking) bool {
	if i.kind != "failover" && i.kind != "restart" && !slices.Contains(i.victims, answer.replica) {
		return false
	}
	return answer.ended.After(i.from.Add(-writes)) && answer.ended.Before(i.to)
}

// login is what a human does about a grant that is lost.
func (c *cycles) login() {
	c.t.Helper()
	after := c.servers.Stats().Generation
	token := c.servers.Login()
	if err := c.replicas[0].ask(http.MethodPost, "clients/demo/import", map[string]string{"refresh_token": token}, nil); err != nil {
		c.t.Fatal(err)
	}
	rig.Eventually(c.t, "all serve after a log-in", c.rotated(after))
}

func list(asked []asking) (text string) {
	for _, a := range asked {
		text += fmt.Sprintf("\n  %s %s: %d, %s", a.begun.Format("15:04:05.000"), a.replica, a.status, a.ended.Sub(a.begun).Round(time.Millisecond))
	}
	return text
}

// report says what was measured, and checks the whole.
func (c *cycles) report(count int, took time.Duration) {
	c.t.Helper()
	stats := c.servers.Stats()
	answered, kept, elsewhere, _ := c.load.counted()
	rotations := max(stats.Generation, 1)
	c.t.Logf("%s: %d cycles in %s: %d rotations, %d token requests (%.3f each), %d of them for spent tokens, %d grants lost",
		c.backend.kind, count, took.Round(time.Second), rotations, stats.TokenRequests, float64(stats.TokenRequests)/float64(rotations), stats.Spent, c.lost)
	c.t.Logf("requests: %d answered; failed at the victims: %v; at others: %v; without a fault: none", answered, kept, elsewhere)
	for _, kind := range slices.Sorted(maps.Keys(c.recovered)) {
		c.t.Logf("%s: all served a new token after %s", kind, spread(c.recovered[kind]))
	}
	c.t.Logf("takeover from who was killed while it asked: %s", spread(c.takeovers))
	if stats.Spent != c.spent || stats.Refused != c.spent || stats.TokenRequests != stats.Generation+c.spent {
		c.t.Errorf("%+v, and %d refusals that are explained", stats, c.spent)
	}
}

func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "–"
	}
	at := func(share float64) time.Duration { return percentile(all, share).Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p99 %s, at most %s, of %d", at(0.5), at(0.99), at(1), len(all))
}

// percentile returns what that share of all is not above.
func percentile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(math.Ceil(share*float64(len(sorted))))-1]
}
