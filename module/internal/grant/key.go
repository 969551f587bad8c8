package grant

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// proveBy chooses the key whose proof goes with the refresh token.
func (m *machine) proveBy() (trouble finding.Trouble, ok bool) {
	p := m.plan
	if p.Key, ok = m.record.Prove(p.Fingerprint(), p.Candidate, p.proof); !ok {
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseKeyChanged}, false
	}
	if o := p.order; p.proof.Wanted && o != nil && o.Import == p.RefreshToken && o.Key.ID != 0 {
		p.Key = o.Key
	}
	return finding.Trouble{}, true
}

// sendable reports whether an access token may be injected, and can be: one that is bound to a
// key is of no use without it.
func (m *machine) sendable(t *record.AccessToken) bool {
	return t.Unusable == "" && (t.Key == 0 || m.record.Key(t.Key) != nil)
}
