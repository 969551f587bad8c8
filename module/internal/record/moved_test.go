package record

import (
	"testing"
	"time"
)

// A grant that was revoked was not carried over, since no refresh token of it is left: under its
// new name it had never been there, and under its former one, when it came back, it was refused.
func TestAGrantThatWasRevokedIsCarriedOverAsRevoked(t *testing.T) {
	r := began("a", "b")
	r = r.Revoke(r.Number+1, r.LineageOf(FingerprintOf("b")), Loss{Cause: "revoked", At: time.Unix(1, 0).UTC()})
	carried := (&Record{Client: "erp2", Number: 50}).Carried(r)
	if l := carried.Lost(grant); l == nil || !l.Ended() || l.Loss == nil || l.Loss.Cause != "revoked" {
		t.Fatalf("got %s", content(t, carried))
	}
	if again := carried.Carried(r); again != carried {
		t.Errorf("carried once more, it is %s", content(t, again))
	}
	grave := r.MoveTo(Moved{Client: "erp2", Offset: 50}).Stripped()
	if l := grave.Carried(carried).Lost(grant); l == nil || l.Loss == nil || l.Loss.Cause != "revoked" {
		t.Errorf("it comes back as %+v", l)
	}
}
