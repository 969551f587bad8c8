package grant

import "testing"

// An order that was taken up was written to by the step that went on with it: the
// state before it was no longer what it had been.
func TestNextWritesToNoOrderThatStatesShare(t *testing.T) {
	s := New("h", 1)
	now := Now{Mono: 1, Wall: epoch, Draw: 0.5}
	for _, e := range []Event{Started{Settings: rotating}, Ordered{Order{ID: 1}}, Looked{Store: Away}} {
		s, _ = Next(s, e, now)
	}
	if s.plan == nil || s.plan.order == nil {
		t.Fatal("the order was not taken up")
	}
	before := *s.plan.order
	in := Inputs{Seed: "A0"}
	in.Binding.Grant, in.Binding.Request = 1, 1
	after, _ := Next(s, Looked{Store: Missing, Inputs: in}, now)
	if *s.plan.order != before || !after.plan.order.counted {
		t.Errorf("the order was %+v and is %+v", before, *s.plan.order)
	}
}
