package observe

import (
	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/finding"
)

// Show puts what was counted into what operators see of a client. If its token is valid
// and nothing else is said, it says why that may not last, or is of no use.
func (n *Counts) Show(s *adminapi.ClientStatus) {
	s.Requests, s.LastRefused = n.Requests.Shown()
	last, lasting := n.Rejections.Last()
	s.LastRejected = last
	if s.Cause != "" || !adminapi.HasToken(s.Token) {
		return
	}
	switch {
	case s.StoreUp != nil && !*s.StoreUp:
		why := cause.Of(finding.CauseStore, "away").With("from", s.Store)
		s.Cause, s.Detail, s.Remedy = why.Name, why.Sentence, why.Remedy
	case lasting:
		why := OfRejection(s.Client, last)
		s.Cause, s.Detail, s.Remedy, s.Since = why.Name, why.Sentence, why.Remedy, last.At
	}
}
