package rival

import (
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// Doubt is the refusal of a refresh token that was taken over from another holder, whose answer
// may be on its way to the store. The zero value is none.
type Doubt struct {
	record.Presented
	Token  record.Fingerprint
	Number uint32 // of our attempt, which stays open
	Until  int64  // when the refusal is believed; monotonic
	Answer *step.Answer
}

// Resolved reports whether the record has another word of the refresh token by now.
func (d *Doubt) Resolved(rec *record.Record) bool {
	said := rec.Of(d.Token)
	return said != record.Living && said != record.Unjudged || rec.Open(d.Token) == nil
}
