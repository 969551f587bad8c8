package observe

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Fault D8: a line for each refusal, without bound.
func TestRefusalsAreLoggedWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		r := NewRefusals(zap.New(core))
		for range 1000 {
			r.Log(zap.WarnLevel, "caller_refused", "refused a request")
		}
		if logs.Len() != refusalBurst {
			t.Errorf("%d lines at once", logs.Len())
		}
		r.Log(zap.WarnLevel, "unknown_host", "refused a request")
		if logs.Len() != refusalBurst+1 {
			t.Error("one cause takes the lines of another")
		}
		logs.TakeAll()
		time.Sleep(refusalPause)
		for range 1000 {
			r.Log(zap.WarnLevel, "caller_refused", "refused a request")
		}
		lines := logs.TakeAll()
		if len(lines) != 1 || lines[0].ContextMap()["not_logged"] != int64(1000-refusalBurst) || lines[0].ContextMap()["cause"] != "caller_refused" {
			t.Errorf("a second later: %v", lines)
		}
		time.Sleep(time.Hour)
		for range 1000 {
			r.Log(zap.WarnLevel, "caller_refused", "refused a request")
		}
		if lines := logs.TakeAll(); len(lines) != refusalBurst || lines[0].ContextMap()["not_logged"] != int64(999) || lines[1].ContextMap()["not_logged"] != nil {
			t.Errorf("an hour later: %d lines", len(lines))
		}
	})
}
