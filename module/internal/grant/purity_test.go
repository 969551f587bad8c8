package grant

import (
	"testing"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
)

// An order that was taken up was written to by the step that went on with it: the
// state before it was no longer what it had been.
func TestNextWritesToNoOrderThatStatesShare(t *testing.T) {
	s := New("h", 1)
	now := when.Now{Mono: 1, Wall: epoch, Draw: 0.5}
	for _, e := range []step.Event{step.Started{Settings: rotating}, step.Ordered{Order: step.Order{ID: 1}}, step.Looked{Store: step.Away}} {
		s, _ = Next(s, e, now)
	}
	if s.plan == nil || s.plan.order == nil {
		t.Fatal("the order was not taken up")
	}
	before := *s.plan.order
	in := step.Inputs{Seed: "A0"}
	in.Binding.Grant, in.Binding.Request = 1, 1
	after, _ := Next(s, step.Looked{Store: step.Missing, Inputs: in}, now)
	if *s.plan.order != before || !after.plan.order.Counted {
		t.Errorf("the order was %+v and is %+v", before, *s.plan.order)
	}
}
