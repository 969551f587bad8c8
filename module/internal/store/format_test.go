package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sealed is a file with a good checksum around any record.
func sealed(format int, record string) []byte {
	return fmt.Appendf(nil, `{"format":%d,"sha256":"%x","record":%s}`, format, sha256.Sum256([]byte(record)), record)
}

func sampleFile(t testing.TB) []byte {
	t.Helper()
	rec := sampleRecord()
	rec.Revision = 3
	data, err := encode(rec)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestARecordIsOneLineWithAVersionAndAChecksum(t *testing.T) {
	data := sampleFile(t)
	if !bytes.HasPrefix(data, []byte(`{"format":1,"sha256":"`)) || bytes.IndexByte(data, '\n') != len(data)-1 {
		t.Errorf("got %q", data)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	good := sampleFile(t)
	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"empty":                  {nil, "empty"},
		"NUL-filled":             {make([]byte, len(good)), "NUL"},
		"tail of NUL":            {append(bytes.Clone(good[:40]), make([]byte, 60)...), "NUL"},
		"truncated":              {good[:len(good)/2], "truncated"},
		"without its last byte":  {good[:len(good)-2], "truncated"},
		"changed":                {bytes.Replace(good, []byte(`"generation":7`), []byte(`"generation":8`), 1), "checksum"},
		"changed in spaces only": {bytes.Replace(good, []byte(`"generation":7`), []byte(`"generation": 7`), 1), "checksum"},
		"two records":            {append(bytes.Clone(good), good...), "not JSON"},
		"text":                   {[]byte("the cat sat on it"), "not JSON"},
		"another document":       {[]byte(`{"a":1}`), "no format"},
		"a list":                 {[]byte(`[1]`), "unexpected"},
		"no record":              {[]byte(`{"format":1,"sha256":""}`), "no record"},
		"null":                   {sealed(1, `null`), "no record"},
		"a number":               {sealed(1, `7`), "no record"},
		"ciphertext":             {sealed(1, `"age"`), "encrypted"},
		"no revision":            {sealed(1, `{"client":"erp"}`), "no revision"},
		"a wrong type":           {sealed(1, `{"client":"erp","revision":1,"refresh_token":5}`), "unexpected"},
		"a wrong time":           {sealed(1, `{"client":"erp","revision":1,"token":{"expires_at":"secret"}}`), "unexpected"},
		"damaged base64":         {sealed(1, `{"client":"erp","revision":1,"refresh_token":"base64:secret!"}`), "base64"},
		"another client's":       {sealed(1, `{"client":"crm","revision":1}`), "another client"},
		"a newer format":         {sealed(2, `{"client":"erp","revision":1}`), "newer version"},
		"a quite different one":  {[]byte(`{"format":9,"sha256":[],"record":"x","boxes":{}}`), "newer version"},
		"too large":              {make([]byte, maxSize+1), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := decode("erp", test.data)
			wantErr(t, err, ErrUnreadable, test.says)
			if !reflect.DeepEqual(rec, Record{}) {
				t.Errorf("got %+v beside the error", rec)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q quotes the file", err)
			}
		})
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	good := sampleFile(t)
	for n := range len(good) - 1 { // only the newline may be missing
		if _, err := decode("erp", good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes pass for a record", n, len(good))
		}
	}
}

func TestEveryFlippedBitOfTheRecordIsNoticed(t *testing.T) {
	good := sampleFile(t)
	from := bytes.Index(good, []byte(`"record":`)) + len(`"record":`)
	for i := from; i < len(good)-2; i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if _, err := decode("erp", bad); err == nil {
			t.Errorf("byte %d was changed from %q to %q unnoticed", i, good[i], bad[i])
		}
	}
}

func TestUnknownMembersAreTolerated(t *testing.T) {
	record := `{"client":"erp","revision":4,"later":{"a":[1]},"refresh_token":"rt"}`
	data := bytes.Replace(sealed(1, record), []byte(`{"format"`), []byte(`{"hint":"x","format"`), 1)
	rec, err := decode("erp", data)
	if err != nil || rec.Revision != 4 || rec.RefreshToken != "rt" {
		t.Errorf("got %+v and %v", rec, err)
	}
}

func TestAnAbsurdDateDoesNotKeepATokenFromBeingSaved(t *testing.T) {
	for _, at := range []time.Time{
		time.Unix(1<<55, 0), time.Unix(-1<<55, 0),
		{},
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("far", 30*3600)),
	} {
		rec := Record{Client: "erp", Revision: 1, RefreshToken: "rt", RefreshTokenExpiresAt: at, Attempt: &Attempt{At: at}, Lost: &Loss{At: at}}
		data, err := encode(rec)
		if err != nil {
			t.Errorf("%v: %v", at, err)
			continue
		}
		got, err := decode("erp", data)
		if err != nil || got.RefreshToken != "rt" {
			t.Errorf("%v: got %+v and %v", at, got, err)
		}
	}
}

func TestARecordTooLargeToReadIsNotWritten(t *testing.T) {
	_, err := encode(Record{Client: "erp", Revision: 1, RefreshToken: strings.Repeat("x", maxSize)})
	wantErr(t, err, nil, "more than")
}

func TestEncodingLeavesItsArgumentAlone(t *testing.T) {
	rec := sampleRecord()
	rec.Token.AccessToken = "\xff"
	if _, err := encode(rec); err != nil {
		t.Fatal(err)
	}
	if rec.Token.AccessToken != "\xff" || rec.Token.Response["tenant.id"] != "t\xff" {
		t.Errorf("got %+v", rec.Token)
	}
}

func TestWhatIsEncodedComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genRecord.Draw(t, "record")
		data, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(want.Client, data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

func FuzzDecode(f *testing.F) {
	good := sampleFile(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	f.Add(sealed(1, `{"client":"erp","revision":1,"seeds":[],"token":{"response":{}},"refresh_token":"base64:/w=="}`))
	f.Add(sealed(1, `"age"`))
	f.Add(sealed(2, `{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Whatever it is given, also as a record inside a good envelope.
		for _, data := range [][]byte{data, sealed(1, string(data))} {
			rec, err := decode("erp", data)
			if err != nil {
				wantErr(t, err, ErrUnreadable)
				continue
			}
			first, err := encode(rec)
			if err != nil {
				t.Fatal(err)
			}
			again, err := decode("erp", first)
			if err != nil {
				t.Fatal(err)
			}
			second, err := encode(again)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, second) {
				t.Fatalf("got %q\nwant %q", second, first)
			}
		}
	})
}

// anyBytes are strings that need not be UTF-8.
var anyBytes = rapid.OneOf(
	rapid.String(),
	rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	rapid.Map(rapid.String(), func(s string) string { return exactPrefix + s }),
)

var genTime = rapid.OneOf(rapid.Just(time.Time{}), rapid.Custom(func(t *rapid.T) time.Time {
	first, last := time.Time{}.Unix(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	return time.Unix(rapid.Int64Range(first, last).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
}))

var genFingerprints = rapid.Map(rapid.SliceOfN(rapid.String(), 0, 4), func(list []string) (fps []Fingerprint) {
	for _, s := range list {
		fps = append(fps, FingerprintOf(s))
	}
	return fps
})

var genToken = rapid.Custom(func(t *rapid.T) *Token {
	tok := &Token{
		AccessToken: anyBytes.Draw(t, "access"), IDToken: anyBytes.Draw(t, "id"),
		TokenType: rapid.String().Draw(t, "type"), Scope: rapid.String().Draw(t, "scope"),
		ObtainedAt: genTime.Draw(t, "obtained"), ExpiresAt: genTime.Draw(t, "expires"),
		Unusable: rapid.String().Draw(t, "unusable"),
		Response: rapid.MapOfN(rapid.String(), anyBytes, 0, 3).Draw(t, "response"),
	}
	if len(tok.Response) == 0 {
		tok.Response = nil
	}
	return tok
})

var genRecord = rapid.Custom(func(t *rapid.T) Record {
	rec := Record{
		Client:       rapid.StringMatching(`[a-z0-9][a-z0-9_.-]{0,62}`).Draw(t, "client"),
		Revision:     rapid.Uint64Min(1).Draw(t, "revision"),
		Generation:   rapid.Uint64().Draw(t, "generation"),
		Binding:      Binding{Grant: FingerprintOf(rapid.String().Draw(t, "grant")), TokenEndpoint: rapid.String().Draw(t, "endpoint")},
		RefreshToken: anyBytes.Draw(t, "refresh"), RefreshTokenExpiresAt: genTime.Draw(t, "refresh expires"),
		Seeds: genFingerprints.Draw(t, "seeds"), Spent: genFingerprints.Draw(t, "spent"),
	}
	if rapid.Bool().Draw(t, "has token") {
		rec.Token = genToken.Draw(t, "token")
	}
	if rapid.Bool().Draw(t, "has attempt") {
		rec.Attempt = &Attempt{ID: rapid.String().Draw(t, "attempt"), At: genTime.Draw(t, "at"), Unanswered: genTime.Draw(t, "unanswered")}
	}
	if rapid.Bool().Draw(t, "has loss") {
		rec.Lost = &Loss{Cause: rapid.String().Draw(t, "cause"), Detail: rapid.String().Draw(t, "detail"), At: genTime.Draw(t, "lost at")}
	}
	return rec
})
