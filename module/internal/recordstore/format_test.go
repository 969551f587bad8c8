package recordstore_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

func decode(name string, data []byte) (*record.Record, error) {
	rec, _, err := recordstore.Decode(name, data)
	return rec, err
}

func sampleFile(t testing.TB) []byte {
	t.Helper()
	data, err := recordstore.Encode(recordtest.Revised(recordtest.Sample(), "erp", 3), nil, recordstore.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestARecordIsOneLineWithAVersionAndAChecksum(t *testing.T) {
	data := sampleFile(t)
	if !bytes.HasPrefix(data, []byte(`{"format":2,"sha256":"`)) || bytes.IndexByte(data, '\n') != len(data)-1 {
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
		"no record":              {[]byte(`{"format":2,"sha256":""}`), "no record"},
		"null":                   {recordtest.Enveloped(2, `null`), "no record"},
		"a number":               {recordtest.Enveloped(2, `7`), "no record"},
		"ciphertext":             {recordtest.Enveloped(2, `"age"`), "encrypted"},
		"no revision":            {recordtest.Enveloped(2, `{"client":"erp"}`), "no revision"},
		"a wrong type":           {recordtest.Enveloped(2, `{"client":"erp","revision":1,"lineages":5}`), "unexpected"},
		"a wrong time":           {recordtest.Enveloped(2, `{"client":"erp","revision":1,"access_tokens":[{"expires_at":"secret"}]}`), "unexpected"},
		"damaged base64":         {recordtest.Enveloped(2, `{"client":"erp","revision":1,"access_tokens":[{"access_token":"base64:secret!"}]}`), "damaged"},
		"a damaged fingerprint":  {recordtest.Enveloped(2, `{"client":"erp","revision":1,"lineages":[{"id":"secret"}]}`), "fingerprint"},
		"another token's":        {recordtest.Enveloped(2, `{"client":"erp","revision":1,"lineages":[{"tokens":[{"refresh_token":"secret","fingerprint":"0123456789abcdef","said":"held"}]}]}`), "damaged"},
		"another client's":       {recordtest.Enveloped(2, `{"client":"crm","revision":1}`), "another client"},
		"a newer format":         {recordtest.Enveloped(3, `{"client":"erp","revision":1}`), "newer version"},
		"a quite different one":  {[]byte(`{"format":9,"sha256":[],"record":"x","boxes":{}}`), "newer version"},

		// Of the first release.
		"no first record":                {[]byte(`{"format":1,"sha256":""}`), "no record"},
		"a first null":                   {recordtest.Enveloped(1, `null`), "no record"},
		"a first number":                 {recordtest.Enveloped(1, `7`), "no record"},
		"a first ciphertext":             {recordtest.Enveloped(1, `"age"`), "encrypted"},
		"no revision of a first record":  {recordtest.Enveloped(1, `{"client":"erp"}`), "no revision"},
		"a wrong type in a first record": {recordtest.Enveloped(1, `{"client":"erp","revision":1,"refresh_token":5}`), "unexpected"},
		"a wrong time in a first record": {recordtest.Enveloped(1, `{"client":"erp","revision":1,"token":{"expires_at":"secret"}}`), "unexpected"},
		"a first damaged base64":         {recordtest.Enveloped(1, `{"client":"erp","revision":1,"refresh_token":"base64:secret!"}`), "base64"},
		"a first record of another":      {recordtest.Enveloped(1, `{"client":"crm","revision":1}`), "another client"},

		"too large": {make([]byte, recordstore.MaxSize+1), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := decode("erp", test.data)
			recordtest.WantErr(t, err, recordstore.ErrUnreadable, test.says)
			if rec != nil {
				t.Errorf("got %+v beside the error", rec)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q quotes the file", err)
			}
		})
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	for _, good := range [][]byte{sampleFile(t), recordtest.FirstRelease()} {
		for n := range len(good) - 1 { // only the newline may be missing
			if _, err := decode("erp", good[:n]); err == nil {
				t.Errorf("the first %d of %d bytes pass for a record", n, len(good))
			}
		}
	}
}

func TestEveryFlippedBitOfTheRecordIsNoticed(t *testing.T) {
	for _, good := range [][]byte{sampleFile(t), recordtest.FirstRelease()} {
		from := bytes.Index(good, []byte(`"record":`)) + len(`"record":`)
		for i := from; i < len(good)-2; i++ {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if _, err := decode("erp", bad); err == nil {
				t.Errorf("byte %d was changed from %q to %q unnoticed", i, good[i], bad[i])
			}
		}
	}
}

func TestUnknownMembersAreTolerated(t *testing.T) {
	fp := record.FingerprintOf
	for format, record := range []string{
		1: fmt.Sprintf(`{"client":"erp","revision":4,"later":{"a":[1]},"generation":1,"refresh_token":"rt","binding":{"grant":"%s"}}`, fp("grant")),
		2: fmt.Sprintf(`{"client":"erp","revision":4,"later":{"a":[1]},"lineages":[{"id":"%s","binding":"%s","since":1,"tokens":[{"refresh_token":"rt","fingerprint":"%s","number":1,"said":"held"}]}]}`, fp("seed"), fp("grant"), fp("rt")),
	} {
		if format == 0 {
			continue
		}
		data := bytes.Replace(recordtest.Enveloped(format, record), []byte(`{"format"`), []byte(`{"hint":"x","format"`), 1)
		rec, err := decode("erp", data)
		if err != nil || rec.Revision != 4 || recordtest.RefreshToken(rec) != "rt" {
			t.Errorf("format %d: got %+v and %v", format, rec, err)
		}
	}
}

func TestARecordTooLargeToReadIsNotWritten(t *testing.T) {
	_, err := recordstore.Encode(recordtest.Revised(recordtest.Holding(strings.Repeat("x", recordstore.MaxSize)), "erp", 1), nil, recordstore.Stamp{})
	recordtest.WantErr(t, err, nil, "more than")
}

func TestDamagedCiphertextIsNeverTakenForARecord(t *testing.T) {
	file, _ := recordtest.NewKey(t)
	keys := recordtest.Keys(t, file)
	ring := new(encryption.Keyring)
	ring.Use(keys)
	data, err := recordstore.Encode(recordtest.Revised(recordtest.Holding("r"), "erp", 1), keys, recordstore.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := recordstore.Decode("erp", data, ring.Identities()...); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, _, err := recordstore.Decode("erp", bad, ring.Identities()...); err == nil && !bytes.Equal(bytes.TrimSpace(bad), bytes.TrimSpace(data)) {
			t.Fatalf("byte %d changed, and it was read", i)
		}
	}
}

// What unwrap takes apart at once, reading it as JSON gives, too.
func FuzzUnwrap(f *testing.F) {
	good := sampleFile(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	f.Add(append(recordtest.Enveloped(1, `{"client":"erp","revision":1}`), '\n'))
	f.Add(append(recordtest.Enveloped(2, `{"client":"erp","revision":1}`), '\n'))
	f.Add(append(recordtest.Enveloped(2, `{"client":"erp","revision":1}} `), '\n'))
	f.Add(append(recordtest.Enveloped(2, `"age"`), '\n'))
	f.Add(recordtest.Enveloped(3, `{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Whatever it is given, also inside a good envelope.
		for _, data := range [][]byte{data, append(recordtest.Enveloped(2, string(data)), '\n')} {
			fast, err := decode("erp", data)
			if err != nil {
				recordtest.WantErr(t, err, recordstore.ErrUnreadable)
			}
			slow, slowErr := decode("erp", append(bytes.Clone(data), ' '))
			if err == nil && (slowErr != nil || !reflect.DeepEqual(fast, slow)) {
				t.Fatalf("got %+v at once, and %+v (%v) by reading JSON", fast, slow, slowErr)
			}
			if err == nil && fast.Revision == 0 {
				t.Fatalf("got %+v, want a record that was written", fast)
			}
		}
	})
}
