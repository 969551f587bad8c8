package keeper

import (
	"time"

	"lamplighter/module/internal/record"
)

// stored is a record as tests look at it: what it says of the grant that the rig's
// client has.
type stored struct {
	rec *record.Record // what it is made of; nil for one that is made up

	Client                string
	Revision, Generation  uint64
	Binding               record.Binding
	RefreshToken          string // the current one, the refused one, or the candidate
	RefreshTokenExpiresAt time.Time
	Imported              string
	Token                 *record.AccessToken
	Attempt               *openAttempt
	Lost                  *loss
	Spent                 []record.Fingerprint // consumed or refused
}

type openAttempt struct {
	RefreshToken record.Fingerprint
	ID           string
	At           time.Time
	Unanswered   time.Time
}

type loss struct {
	record.Loss
	RefreshToken record.Fingerprint
}

// KnowsSeed reports whether a refresh token is nothing new.
func (s stored) KnowsSeed(f record.Fingerprint) bool {
	known := s.rec.Of(f)
	return known != record.Unknown && known != record.Unjudged
}

// viewOf looks at a record with the eyes of a client.
func viewOf(rec *record.Record, b record.Binding) stored {
	s := stored{rec: rec, Client: rec.Client, Revision: rec.Revision, Generation: rec.Generation}
	for _, l := range rec.Lineages {
		for _, m := range l.Consumed {
			s.Spent = append(s.Spent, m.Token())
		}
		for _, t := range l.Tokens {
			if t.Said == record.Refused {
				s.Spent = append(s.Spent, t.Fingerprint)
			}
		}
	}
	if t := rec.Candidate(b.Grant, false); t != nil {
		s.RefreshToken = t.RefreshToken
	}
	if t := rec.Candidate(b.Grant, true); t != nil {
		s.Imported = t.RefreshToken
	}
	if l := rec.Grant(b.Grant); l != nil {
		s.Binding = record.Binding{Grant: l.Binding, TokenEndpoint: l.TokenEndpoint, Request: b.Request}
		if t := l.Current(); t != nil {
			s.RefreshToken, s.RefreshTokenExpiresAt = t.RefreshToken, t.ExpiresAt
		} else if l = rec.Lost(b.Grant); l.Loss != nil {
			s.Lost = &loss{Loss: *l.Loss}
			if t := rec.Refused(b.Grant); t != nil {
				s.RefreshToken, s.Lost.RefreshToken = t.RefreshToken, t.Fingerprint
			}
		}
	} else if s.RefreshToken != "" {
		s.Binding = b
	}
	if t := rec.Newest(); t != nil && t.AccessToken != "" && rec.Access(t.Request) != nil {
		s.Token = t
	}
	for _, a := range rec.Attempts {
		if a.Open() {
			s.Attempt = &openAttempt{RefreshToken: a.Fingerprint, ID: a.ID, At: a.At, Unanswered: a.Unanswered}
		}
	}
	return s
}

// become returns the record that an edit of the view means.
func (s stored) become(before stored, b record.Binding) *record.Record {
	switch {
	case s.rec != before.rec && s.rec != nil: // an older one
		c := *s.rec
		return &c
	case s.rec == nil: // somebody else's
		made := new(record.Record)
		made.Client, made.Revision = s.Client, s.Revision
		p := record.Presented{RefreshToken: "secret-unheard-of", Candidate: true, Binding: b}
		made = made.Answered(uint32(s.Generation), p, record.Token{RefreshToken: s.RefreshToken})
		made.Generation = s.Generation
		if s.Token != nil {
			made = obtained(made, *s.Token, b, uint32(s.Generation))
		}
		return made
	case s.RefreshToken != before.RefreshToken: // another holder's answer
		number := before.rec.Number + 1
		p := record.Presented{RefreshToken: before.RefreshToken, Binding: b}
		made := before.rec.Answered(number, p, record.Token{RefreshToken: s.RefreshToken}).Count()
		return obtained(made, *s.Token, b, number)
	case s.Attempt == nil && before.Attempt != nil:
		made := before.rec
		for _, a := range before.rec.Attempts {
			made = made.Settle(a.Number)
		}
		c := *made
		return &c
	}
	c := *before.rec
	return &c
}

func obtained(rec *record.Record, t record.AccessToken, b record.Binding, number uint32) *record.Record {
	t.Request, t.Grant, t.Number = b.Request, b.Grant, number
	return rec.Obtain(t)
}

// lastRefused is the token that was refused last.
func lastRefused(rec *record.Record) (refused record.Fingerprint) {
	last := uint32(0)
	for _, l := range rec.Lineages {
		for _, t := range l.Tokens {
			if t.Said == record.Refused && t.Number >= last {
				refused, last = t.Fingerprint, t.Number
			}
		}
		for _, m := range l.Consumed {
			if m.Number == l.Revoked && m.Number >= last {
				refused, last = m.Token(), m.Number
			}
		}
	}
	return refused
}
