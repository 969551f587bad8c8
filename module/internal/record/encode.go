package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Format is the version of the encoding. A reader refuses a later one. Members
// that a reader may ignore, and keeps as they are, need no new one.
const Format = 2

type jsonValue = json.RawMessage

// members is a record as it is encoded, its unknown members apart.
type members Record

// Encode returns the record as JSON.
func (r *Record) Encode() ([]byte, error) {
	out := outgoing(r)
	data, err := encode((*members)(out))
	if err != nil || len(r.unknown) == 0 {
		return data, err
	}
	data = data[:len(data)-1]
	for _, name := range slices.Sorted(maps.Keys(r.unknown)) {
		quoted, err := encode(name)
		if err != nil {
			return nil, err
		}
		data = slices.Concat(data, []byte(","), quoted, []byte(":"), r.unknown[name])
	}
	return append(data, '}'), nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode returns a record of that format. No error repeats what data holds: that
// may be a secret.
func Decode(data []byte, format int) (*Record, error) {
	if format < Format {
		return decodeFirst(data)
	}
	var m members
	if err := Parse(data, &m); err != nil {
		return nil, err
	}
	r := (*Record)(&m)
	if r.Revision == 0 {
		return nil, errors.New("it has no revision")
	}
	var all map[string]jsonValue
	if err := Parse(data, &all); err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(name string, _ jsonValue) bool {
		return slices.ContainsFunc(known, func(own string) bool { return strings.EqualFold(own, name) })
	})
	if len(all) > 0 {
		r.unknown = all
	}
	if err := incoming(r); err != nil {
		return nil, err
	}
	for i := range r.Lineages {
		l := &r.Lineages[i]
		l.Consumed = mergeMarks(nil, l.Consumed)
		l.normalise()
	}
	r.share()
	r.Forgotten = mergeMarks(nil, r.Forgotten)
	r.normalise()
	return r, nil
}

// known are the members of a record.
var known = []string{"client", "revision", "write_id", "written", "number", "generation", "lineages", "attempts", "access_tokens", "keys", "forgotten", "paused", "moved"}

// Parse is json.Unmarshal with errors that quote nothing.
func Parse(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errFingerprint):
		return errFingerprint
	case !errors.As(err, &syntax):
		return errors.New("a member of it has an unexpected type or value")
	case syntax.Offset >= int64(len(data)):
		return errors.New("it is truncated")
	}
	return fmt.Errorf("it is not JSON, from byte %d on", syntax.Offset)
}

// exactPrefix marks a string that is kept as base64.
const exactPrefix = "base64:"

// outgoing returns a record that JSON can carry. Encoding replaces what is not
// UTF-8 and refuses what RFC 3339 cannot say; a refresh token changed by a byte
// is lost, and so is one that cannot be written because of an absurd date.
func outgoing(r *Record) *Record {
	c := r.deep()
	c.each(func(s *string) { *s = exact(*s) }, func(t *time.Time) { *t = storable(*t) })
	return c
}

// deep returns a record of its own, as far as each reaches.
func (r *Record) deep() *Record {
	c := r.copy()
	c.Lineages, c.Attempts, c.AccessTokens = slices.Clone(r.Lineages), slices.Clone(r.Attempts), slices.Clone(r.AccessTokens)
	for i := range c.Lineages {
		l := &c.Lineages[i]
		l.Tokens = slices.Clone(l.Tokens)
		if l.Loss != nil {
			loss := *l.Loss
			l.Loss = &loss
		}
	}
	for i := range c.AccessTokens {
		c.AccessTokens[i].Response = maps.Clone(c.AccessTokens[i].Response)
	}
	if r.Paused != nil {
		paused := *r.Paused
		c.Paused = &paused
	}
	return c
}

// incoming undoes outgoing, in place: the record was just decoded.
func incoming(r *Record) error {
	ok := true
	r.each(func(s *string) { ok = unexact(s) && ok }, func(t *time.Time) { *t = rounded(*t) })
	for _, l := range r.Lineages {
		ok = ok && !slices.ContainsFunc(l.Tokens, func(t Token) bool {
			return words[t.Said] == 0 || t.RefreshToken != "" && t.Fingerprint != issued(t.RefreshToken, t.Again)
		})
	}
	if !ok {
		return errors.New("a token in it is damaged")
	}
	return nil
}

// each visits what a server sent, and all times.
func (r *Record) each(text func(*string), when func(*time.Time)) {
	when(&r.Written)
	if r.Paused != nil {
		when(&r.Paused.Until)
		when(&r.Paused.RetryAfter)
	}
	for i := range r.Lineages {
		l := &r.Lineages[i]
		for j := range l.Tokens {
			t := &l.Tokens[j]
			text(&t.RefreshToken)
			when(&t.ObtainedAt)
			when(&t.ExpiresAt)
			when(&t.MovedAt)
		}
		if l.Loss != nil {
			when(&l.Loss.At)
			when(&l.Loss.Unanswered)
			when(&l.Loss.EndedAt)
		}
	}
	for i := range r.Attempts {
		when(&r.Attempts[i].At)
		when(&r.Attempts[i].Unanswered)
	}
	for i := range r.AccessTokens {
		t := &r.AccessTokens[i]
		for _, s := range []*string{&t.AccessToken, &t.IDToken, &t.TokenType, &t.Scope} {
			text(s)
		}
		if len(t.Response) == 0 {
			t.Response = nil
		}
		for name, value := range t.Response {
			text(&value)
			t.Response[name] = value
		}
		when(&t.ObtainedAt)
		when(&t.ExpiresAt)
	}
}

// endpoint is the token endpoint of the record that was read last.
var endpoint atomic.Pointer[string]

// share lets words of a record that was just decoded take no memory of their own where
// those of many records are the same.
func (r *Record) share() {
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if last := endpoint.Load(); last != nil && *last == l.TokenEndpoint {
			l.TokenEndpoint = *last
		} else {
			own := l.TokenEndpoint
			endpoint.Store(&own)
		}
		for j := range l.Tokens {
			for said := range words {
				if l.Tokens[j].Said == said {
					l.Tokens[j].Said = said
				}
			}
		}
	}
	for i := range r.AccessTokens {
		const usual = "Bearer"
		if t := &r.AccessTokens[i]; t.TokenType == usual {
			t.TokenType = usual
		}
	}
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
