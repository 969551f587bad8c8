// Package refusal answers what a refusal says: how a grant ended, and whether the settings are
// to blame.
//
// It knows answers and records. It must not know what follows.
package refusal

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// Loss says how a grant ended whose refresh token was refused. open is the attempt that was made
// with it, lineage what is recorded of the grant, nil if nothing is, and ended when it ended by
// itself, zero if it did not.
func Loss(a *step.Answer, p *choice.Choice, open *record.Attempt, lineage *record.Lineage, ended, at time.Time) *record.Loss {
	l := &record.Loss{Cause: finding.CauseRefused, At: at, Imported: p.Imported}
	if a.Facts != nil {
		l.Detail = a.Facts.Detail
	}
	switch {
	case !ended.IsZero():
		l.Cause, l.EndedAt = finding.CauseGrantEnds, ended
	case open != nil && !open.Unanswered.IsZero():
		l.Cause, l.Unanswered, l.UnansweredBy = finding.CauseResponseLost, open.Unanswered, open.UnansweredBy
		l.Imported = false
	case p.Candidate && !p.Imported && (lineage == nil || lineage.Since == 0):
		l.Cause = finding.CauseSeedUsed
	}
	return l
}

// Suspect adds what is known of an answer that blames the settings and rather means the refresh
// token, if the same settings have worked before: accepted says so. newest and current are those
// of the record, nil if there are none.
func Suspect(a *step.Answer, presented string, newest *record.AccessToken, current *record.Token, accepted bool) *finding.Facts {
	if a.Facts == nil || a.Facts.DeadGrant == "" {
		return a.Facts
	}
	f := *a.Facts
	if newest == nil || current == nil || current.RefreshToken != presented {
		f.DeadGrant = ""
		return &f
	}
	f.Since, f.Accepted = newest.ObtainedAt, accepted
	return &f
}
