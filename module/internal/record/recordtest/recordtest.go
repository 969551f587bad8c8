// Package recordtest has the records that the tests of several packages keep and read.
package recordtest

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // a record of the first release
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
)

// Binding is that of every grant in the tests.
var Binding = record.Binding{ //nolint:gosec // an address
	Grant: record.FingerprintOf("grant"), Request: record.FingerprintOf("request"), TokenEndpoint: "https://as.example/token",
}

// Holding returns a record whose grant has a refresh token.
func Holding(refreshToken string) *record.Record {
	p := record.Presented{RefreshToken: "seed", Binding: Binding}
	return new(record.Record).Answered(1, p, record.Token{RefreshToken: refreshToken})
}

// Journaling returns a record which says that its refresh token is about to be
// presented.
func Journaling(refreshToken string) *record.Record {
	p := record.Presented{RefreshToken: refreshToken, Binding: Binding}
	return Holding(refreshToken).Journal(record.Attempt{Number: 2, ID: "p-1"}, p)
}

// RefreshToken returns the one that a record's grant has, "" for none.
func RefreshToken(rec *record.Record) string {
	if t := rec.Current(Binding.Grant); t != nil {
		return t.RefreshToken
	}
	return ""
}

// Revised returns a record as a store would have Written it.
func Revised(rec *record.Record, client string, revision uint64) *record.Record {
	c := *rec
	c.Client, c.Revision = client, revision
	return &c
}

// Written returns a record as it is given for one write.
func Written(rec *record.Record, id string) *record.Record {
	c := *rec
	c.WriteID = id
	return &c
}

// Sample has a value in every field.
func Sample() *record.Record {
	at := time.Date(2026, time.February, 3, 4, 5, 6, 789, time.UTC)
	fp := record.FingerprintOf
	p := record.Presented{RefreshToken: "<refresh&token>\u2028", Binding: Binding}
	rec := &record.Record{Client: "erp", WriteID: "process-9", Generation: 7, Forgotten: []record.Mark{record.MarkOf(fp("forgotten"), 1)}}
	seed := record.Presented{RefreshToken: "seed", Binding: Binding}
	rec = rec.Answered(2, seed, record.Token{RefreshToken: "first", ObtainedAt: at.Add(-time.Hour), ExpiresAt: at.Add(time.Hour)})
	first := record.Presented{RefreshToken: "first", Binding: Binding}
	rec = rec.Answered(3, first, record.Token{RefreshToken: p.RefreshToken, ObtainedAt: at, ExpiresAt: at.Add(time.Hour)})
	rec = rec.Journal(record.Attempt{Number: 4, ID: "process-7", At: at}, record.Presented{RefreshToken: "not sent"}).Settle(4)
	rec = rec.Revoke(4, fp("another seed"), record.Loss{Cause: "revoked", Detail: "by order", Sentence: "It was revoked.", At: at, Imported: true, Unanswered: at, UnansweredBy: "process-8"})
	rec = rec.Supply(5, record.Presented{RefreshToken: "imported\xff", Imported: true, Binding: Binding})
	rec = rec.Obtain(record.AccessToken{
		Request: Binding.Request, Grant: Binding.Grant, Lineage: fp("seed"), Number: 3,
		AccessToken: "access token", IDToken: "id token", TokenType: "Bearer", Scope: "a b",
		ObtainedAt: at, ExpiresAt: at.Add(time.Minute), Unusable: "characters",
		Response: map[string]string{"tenant.id": "t\xff", "": "base64:"},
	})
	rec = rec.Journal(record.Attempt{Number: 6, ID: "process-0", At: at.Add(-time.Second)}, p)
	return rec.Journal(record.Attempt{Number: 7, ID: "process-1", At: at}, p)
}

// Enveloped is a file with a good checksum around any record.
func Enveloped(format int, record string) []byte {
	return fmt.Appendf(nil, `{"format":%d,"sha256":"%x","record":%s}`, format, sha256.Sum256([]byte(record)), record)
}

// firstRelease is the record of "erp" as the first release wrote it: revision 3, an
// attempt is open.
//
//go:embed first_release.json
var firstRelease []byte

// FirstRelease returns the bytes of a record of the first release.
func FirstRelease() []byte { return bytes.Clone(firstRelease) }

// WantErr fails a test unless an error is of a kind, if that is not nil, and says so.
func WantErr(t *testing.T, err error, is error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %v %q", is, says)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("got %q, want it to be %q", err, is)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("got %q, want it to say %q", err, s)
		}
	}
}

// NewKey returns a key as age-keygen writes it, and its secret line.
func NewKey(t *testing.T) (file []byte, secret string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "# created: today\n# public key: %s\n%s\n", identity.Recipient(), identity), identity.String()
}

// Keys returns the keys of such files.
func Keys(t *testing.T, files ...[]byte) *encryption.Keys {
	t.Helper()
	keys, err := encryption.ParseKeys(files...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
