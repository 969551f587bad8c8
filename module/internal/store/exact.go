package store

import (
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode/utf8"
)

// exactPrefix marks a string that is kept as base64.
const exactPrefix = "base64:"

// outgoing returns a record that JSON can carry. Encoding replaces what is not
// UTF-8 and refuses what RFC 3339 cannot say; a refresh token changed by a byte
// is lost, and so is one that cannot be written because of an absurd date.
func outgoing(rec Record) Record {
	rec.RefreshToken, rec.Imported = exact(rec.RefreshToken), exact(rec.Imported)
	rec.RefreshTokenExpiresAt = storable(rec.RefreshTokenExpiresAt)
	if rec.Token != nil {
		t := *rec.Token
		t.AccessToken, t.IDToken = exact(t.AccessToken), exact(t.IDToken)
		t.ObtainedAt, t.ExpiresAt = storable(t.ObtainedAt), storable(t.ExpiresAt)
		t.Response = maps.Clone(t.Response)
		for k, v := range t.Response {
			t.Response[k] = exact(v)
		}
		rec.Token = &t
	}
	if rec.Attempt != nil {
		a := *rec.Attempt
		a.At, a.Unanswered = storable(a.At), storable(a.Unanswered)
		rec.Attempt = &a
	}
	if rec.Lost != nil {
		l := *rec.Lost
		l.At = storable(l.At)
		rec.Lost = &l
	}
	return rec
}

// incoming undoes outgoing, in place: the record was just decoded.
func incoming(rec Record) (Record, error) {
	ok := unexact(&rec.RefreshToken)
	ok = unexact(&rec.Imported) && ok
	if t := rec.Token; t != nil {
		ok = unexact(&t.AccessToken) && unexact(&t.IDToken) && ok
		for k, v := range t.Response {
			ok = unexact(&v) && ok
			t.Response[k] = v
		}
	}
	if !ok {
		return Record{}, errors.New("a base64 member of it is damaged")
	}
	return rec, nil
}

func exact(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, exactPrefix) {
		return s
	}
	return exactPrefix + base64.StdEncoding.EncodeToString([]byte(s))
}

func unexact(s *string) bool {
	coded, ok := strings.CutPrefix(*s, exactPrefix)
	if !ok {
		return true
	}
	b, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return false
	}
	*s = string(b)
	return true
}

// storable returns the nearest moment in UTC that RFC 3339 can say.
func storable(t time.Time) time.Time {
	t = t.UTC()
	switch y := t.Year(); {
	case y > 9999:
		return time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	case y < 1:
		return time.Time{}
	}
	return t
}
