package store

import (
	"time"

	"lamplighter/module/internal/record"
)

// binding is that of every grant in the tests.
var binding = record.Binding{
	Grant: record.FingerprintOf("grant"), Request: record.FingerprintOf("request"), TokenEndpoint: "https://as.example/token",
}

// holding returns a record whose grant has a refresh token.
func holding(refreshToken string) *record.Record {
	p := record.Presented{RefreshToken: "seed", Binding: binding}
	return new(record.Record).Answered(1, p, record.Token{RefreshToken: refreshToken})
}

// journaling returns a record which says that its refresh token is about to be
// presented.
func journaling(refreshToken string) *record.Record {
	p := record.Presented{RefreshToken: refreshToken, Binding: binding}
	return holding(refreshToken).Journal(record.Attempt{Number: 2, ID: "p-1"}, p)
}

// refreshToken returns the one that a record's grant has, "" for none.
func refreshToken(rec *record.Record) string {
	if t := rec.Current(binding.Grant); t != nil {
		return t.RefreshToken
	}
	return ""
}

// revised returns a record as a store would have written it.
func revised(rec *record.Record, client string, revision uint64) *record.Record {
	c := *rec
	c.Client, c.Revision = client, revision
	return &c
}

// written returns a record as it is given for one write.
func written(rec *record.Record, id string) *record.Record {
	c := *rec
	c.WriteID = id
	return &c
}

// sampleRecord has a value in every field.
func sampleRecord() *record.Record {
	at := time.Date(2026, time.February, 3, 4, 5, 6, 789, time.UTC)
	fp := record.FingerprintOf
	p := record.Presented{RefreshToken: "<refresh&token>\u2028", Binding: binding}
	rec := &record.Record{Client: "erp", WriteID: "process-9", Generation: 7, Forgotten: []record.Mark{record.MarkOf(fp("forgotten"), 1)}}
	seed := record.Presented{RefreshToken: "seed", Binding: binding}
	rec = rec.Answered(2, seed, record.Token{RefreshToken: "first", ObtainedAt: at.Add(-time.Hour), ExpiresAt: at.Add(time.Hour)})
	first := record.Presented{RefreshToken: "first", Binding: binding}
	rec = rec.Answered(3, first, record.Token{RefreshToken: p.RefreshToken, ObtainedAt: at, ExpiresAt: at.Add(time.Hour)})
	rec = rec.Journal(record.Attempt{Number: 4, ID: "process-7", At: at}, record.Presented{RefreshToken: "not sent"}).Settle(4)
	rec = rec.Revoke(4, fp("another seed"), record.Loss{Cause: "revoked", Detail: "by order", Sentence: "It was revoked.", At: at, Imported: true, Unanswered: at, UnansweredBy: "process-8"})
	rec = rec.Supply(5, record.Presented{RefreshToken: "imported\xff", Imported: true, Binding: binding})
	rec = rec.Obtain(record.AccessToken{
		Request: binding.Request, Grant: binding.Grant, Lineage: fp("seed"), Number: 3,
		AccessToken: "access token", IDToken: "id token", TokenType: "Bearer", Scope: "a b",
		ObtainedAt: at, ExpiresAt: at.Add(time.Minute), Unusable: "characters",
		Response: map[string]string{"tenant.id": "t\xff", "": "base64:"},
	})
	rec = rec.Journal(record.Attempt{Number: 6, ID: "process-0", At: at.Add(-time.Second)}, p)
	return rec.Journal(record.Attempt{Number: 7, ID: "process-1", At: at}, p)
}
