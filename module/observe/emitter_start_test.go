package observe

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// The looks of all clients of the process were held up for ten seconds by a configuration
// whose start had failed.
func TestAConfigurationThatNeverRunsHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := newEmitter(caddy.Context{Context: ctx}, nil)
		began, after := time.Now(), time.Duration(-1)
		m.AfterStart(func() { after = time.Since(began) })
		synctest.Wait()
		if after >= 0 {
			t.Error("what was to come after the start came before it")
		}
		cancel()
		time.Sleep(time.Minute)
		if synctest.Wait(); after != 0 {
			t.Errorf("it came %v after the configuration was given up", after)
		}
	})
}
