package record

import (
	"errors"
	"time"
)

// first is a record as the first release wrote it. It is read, and written anew in
// the present format with the next write.
type first struct {
	Client                string        `json:"client"`
	Revision              uint64        `json:"revision"`
	Generation            uint64        `json:"generation"`
	Binding               firstBinding  `json:"binding"`
	RefreshToken          string        `json:"refresh_token"`
	Imported              string        `json:"imported"`
	RefreshTokenExpiresAt time.Time     `json:"refresh_token_expires_at"`
	Token                 *AccessToken  `json:"token"`
	Seeds                 []Fingerprint `json:"seeds"`
	Spent                 []Fingerprint `json:"spent"`
	Attempt               *Attempt      `json:"attempt"`
	Lost                  *firstLoss    `json:"lost"`
}

type firstBinding struct {
	Grant         Fingerprint `json:"grant"`
	Request       Fingerprint `json:"request"`
	TokenEndpoint string      `json:"token_endpoint"`
}

type firstLoss struct {
	Cause        string      `json:"cause"`
	Detail       string      `json:"detail"`
	At           time.Time   `json:"at"`
	RefreshToken Fingerprint `json:"refresh_token"`
}

// Causes of the first release's losses that say more than how a token was refused.
const firstRevoked = "revoked"

// decodeFirst reads a record of the first release. Whoever reads it makes the same
// of it: that may be several processes at a time.
func decodeFirst(data []byte) (*Record, error) {
	var f first
	if err := Parse(data, &f); err != nil {
		return nil, err
	}
	if f.Revision == 0 {
		return nil, errors.New("it has no revision")
	}
	token := Token{RefreshToken: f.RefreshToken, ExpiresAt: f.RefreshTokenExpiresAt}
	r := &Record{Client: f.Client, Revision: f.Revision, Generation: f.Generation}
	if f.Token != nil {
		r.AccessTokens = []AccessToken{*f.Token}
	}
	if err := incoming(r); err != nil || !unexact(&token.RefreshToken) || !unexact(&f.Imported) {
		return nil, errors.New("a base64 member of it is damaged")
	}
	token.Fingerprint = FingerprintOf(token.RefreshToken)
	f.grant(r, token)
	if f.Imported != "" {
		to := Binding{Grant: f.Binding.Grant, TokenEndpoint: f.Binding.TokenEndpoint}
		r = r.Supply(r.Number+1, Presented{RefreshToken: f.Imported, Imported: true, Binding: to})
	}
	if f.Attempt != nil {
		r.Number++
		a := *f.Attempt
		a.Number = r.Number
		r.Attempts = []Attempt{a}
	}
	for i := range r.AccessTokens {
		t := &r.AccessTokens[i]
		t.Request, t.Grant, t.Lineage, t.Number = f.Binding.Request, f.Binding.Grant, r.LineageOf(token.Fingerprint), max(1, r.Number)
	}
	r.each(func(*string) {}, func(t *time.Time) { *t = rounded(*t) })
	r.normalise()
	return r, nil
}

// grant makes the lineage of a record. What it consumed and what was refused the
// first release did not tell apart.
func (f *first) grant(r *Record, token Token) {
	used := append(append([]Fingerprint(nil), f.Seeds...), f.Spent...)
	id := token.Fingerprint
	if len(f.Seeds) > 0 {
		id = f.Seeds[len(f.Seeds)-1]
	}
	if id == 0 && len(used) > 0 {
		id = used[0]
	}
	if id == 0 {
		return
	}
	l := Lineage{ID: id, Binding: f.Binding.Grant, TokenEndpoint: f.Binding.TokenEndpoint}
	for _, fp := range used {
		if fp != token.Fingerprint {
			r.Number++
			l.Consumed = append(l.Consumed, MarkOf(fp, r.Number))
		}
	}
	r.Number++
	if f.Generation > 0 {
		l.Since = r.Number
	}
	token.Number, token.Said = r.Number, Held
	if f.Generation == 0 {
		token.Said = Candidate
	}
	if f.Lost != nil {
		token.Said = Refused
		l.Loss = &Loss{Number: r.Number, Cause: f.Lost.Cause, Sentence: f.Lost.Detail, At: f.Lost.At}
		if f.Lost.Cause == firstRevoked {
			l.Since, l.Revoked = max(1, l.Since), r.Number
		}
	}
	switch {
	case token.Fingerprint == 0:
	case l.Ended(): // the first release kept it, and nothing may present it again
		l.Consumed = append(l.Consumed, MarkOf(token.Fingerprint, r.Number))
	default:
		l.Tokens = []Token{token}
	}
	l.Consumed = mergeMarks(nil, l.Consumed)
	l.normalise()
	r.Lineages = []Lineage{l}
}
