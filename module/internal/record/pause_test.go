package record

import (
	"testing"
	"time"
)

func TestAPauseEndsWithALaterAnswer(t *testing.T) {
	r := new(Record).Obtain(AccessToken{Number: 1, AccessToken: "a", ObtainedAt: moment})
	if r.Pause() != nil {
		t.Error("there is a pause of nothing")
	}
	rests := r.Rest(Pause{Number: 2, Failures: 1, Until: moment.Add(time.Minute), Cause: "too_many"})
	if p := rests.Pause(); p == nil || p.Failures != 1 || !p.Until.Equal(moment.Add(time.Minute)) {
		t.Errorf("got %+v", p)
	}
	if p := rests.Obtain(AccessToken{Number: 3, AccessToken: "b", ObtainedAt: moment}).Pause(); p != nil {
		t.Errorf("an answer did not end %+v", p)
	}
}

func TestThePauseOfTheLaterAttemptHolds(t *testing.T) {
	r := new(Record)
	first, later := r.Rest(Pause{Number: 2, Until: moment.Add(time.Hour)}), r.Rest(Pause{Number: 3, Until: moment})
	for _, m := range []*Record{Merge(first, later), Merge(later, first)} {
		if m.Pause().Number != 3 {
			t.Errorf("got %+v", m.Pause())
		}
	}
}
