package stores

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestAnAnswerThatComesAfterTheRenameReachesTheNewName cuts a replica off from the store while
// it asks, and carries the grant over as soon as its lease is over. The refresh token that it
// was given meanwhile is the only living one: it is handed over when the store is reached again.
func TestAnAnswerThatComesAfterTheRenameReachesTheNewName(t *testing.T) {
	for name, alone := range map[string]func(*testing.T) *backend{"redis": redisAlone, "postgres": postgresBackend} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, alone(t), 2*time.Second, 20*time.Second, "1h")
			former := d.start("former")
			rig.Eventually(t, "it has a token", serves(former, 1))
			renamed := d.startRenamed()

			asked, goOn := make(chan struct{}), make(chan struct{})
			d.gateway.once(func(string) bool { close(asked); <-goOn; return true })
			go func() { _ = former.ask(http.MethodPost, "clients/demo/refresh", nil, nil) }()
			<-asked
			heal := former.cut()
			close(goOn)
			rig.Eventually(t, "the authorization server has answered", func() bool { return d.servers.Stats().Generation == 2 })

			rig.Eventually(t, "the grant is carried over", func() bool {
				return renamed.ask(http.MethodPost, "clients/renamed/adopt", map[string]string{"client": "demo"}, nil) == nil
			})
			if serves(renamed, 2)() {
				t.Fatal("the new name has the new token before the store is reached again")
			}
			heal()
			rig.Eventually(t, "the new name has the new token", serves(renamed, 2))
			d.counts(2, 0)
			if err := renamed.ask(http.MethodPost, "clients/renamed/refresh", nil, nil); err != nil {
				t.Errorf("the new name cannot refresh: %v", err)
			}
			d.counts(3, 0)
			rig.Eventually(t, "the former name says where the grant is", func() bool {
				s, err := former.status()
				return err == nil && s.Cause == "record_moved"
			})
		})
	}
}

// startRenamed starts a replica whose configuration calls the client otherwise.
func (d *deployment) startRenamed() *replica {
	d.t.Helper()
	r, address := d.made("renamed")
	rig.Write(d.t, r.home, "Caddyfile", strings.Replace(d.caddyfile(r, address), "client demo {", "client renamed {", 1))
	d.run(r, address)
	return r
}
