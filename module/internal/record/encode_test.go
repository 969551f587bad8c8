package record

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// anyRecord draws one with something in every member, in the form that records have.
func anyRecord(t *rapid.T) *Record {
	h := holder{rapid.SampledFrom([]string{"p", "q"}).Draw(t, "name"), new(Record)}
	for range rapid.IntRange(0, 20).Draw(t, "steps") {
		h.record = h.step(t)
	}
	any := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
	when := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns"))
	})
	p := Presented{RefreshToken: any.Draw(t, "presented") + "x", Binding: Binding{Grant: grant}}
	h.record = h.record.Answered(h.record.Number+1, p, Token{RefreshToken: any.Draw(t, "token") + "y", ObtainedAt: when.Draw(t, "at"), ExpiresAt: when.Draw(t, "end")})
	h.record = h.record.Obtain(AccessToken{
		Request: request, Number: h.record.Number, AccessToken: any.Draw(t, "access"), IDToken: any.Draw(t, "id"), TokenType: any.Draw(t, "type"),
		Scope: any.Draw(t, "scope"), ObtainedAt: when.Draw(t, "sent"), ExpiresAt: when.Draw(t, "ends"), Response: map[string]string{"a": any.Draw(t, "response")},
	})
	c := *h.record
	c.Client, c.Revision, c.WriteID = "erp", rapid.Uint64Min(1).Draw(t, "revision"), "w"
	return &c
}

func decoded(t testing.TB, data []byte) *Record {
	t.Helper()
	r, err := Decode(data, Format)
	if err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return r
}

func encoded(t testing.TB, r *Record) []byte {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := anyRecord(rt)
		data := encoded(t, r)
		back := decoded(t, data)
		if !Equal(r, back) || r.Client != back.Client || r.Revision != back.Revision || r.WriteID != back.WriteID {
			rt.Fatalf("wrote\n%s\nread\n%s", data, encoded(t, back))
		}
		if again := encoded(t, back); !bytes.Equal(again, data) {
			rt.Fatalf("wrote\n%s\nthen\n%s", data, again)
		}
		if m := Merge(back, r); !Equal(m, r) {
			rt.Fatalf("joined with what was read:\n%s\n%s", data, encoded(t, m))
		}
	})
}

func TestMembersOfALaterVersionAreKeptByteForByte(t *testing.T) {
	const later = `"z":{"b": [1.0,  1e2], "a":"<\u00e9>"}`
	r := decoded(t, []byte(`{"client":"erp","revision":1,"generation":0,`+later+`,"Zürich <&>":null,"a":18446744073709551616}`))
	r = Merge(r.Count(), r)
	data := encoded(t, r)
	for _, member := range []string{later, `"Zürich <&>":null`, `"a":18446744073709551616`} {
		if !bytes.Contains(data, []byte(member)) {
			t.Errorf("%s is not in %s", member, data)
		}
	}
	if back := decoded(t, data); !Equal(back, r) || back.Generation != 1 {
		t.Errorf("read %+v", back)
	}
}

func TestAMemberThatIsSpeltOtherwiseIsNoUnknownOne(t *testing.T) {
	r := decoded(t, []byte(`{"client":"erp","Revision":1,"NUMBER":7}`))
	if len(r.unknown) > 0 || r.Number != 7 {
		t.Errorf("got %+v", r)
	}
}

func TestTheKnownMembersAreThoseOfARecord(t *testing.T) {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Record]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	if !reflect.DeepEqual(names, known) {
		t.Errorf("got %q, want %q", known, names)
	}
}

// Each member of each thing in a record counts when two are compared.
func TestEqualNoticesEveryMember(t *testing.T) {
	base := func() *Record { return decoded(t, golden(t)) }
	var visit func(path string, at func(*Record) reflect.Value)
	visit = func(path string, at func(*Record) reflect.Value) {
		v := at(base())
		switch {
		case v.Kind() == reflect.Pointer:
			if !v.IsNil() {
				visit(path, func(r *Record) reflect.Value { return at(r).Elem() })
			}
			return
		case v.Type() == reflect.TypeFor[time.Time](), v.Kind() == reflect.Array, v.Kind() == reflect.Map:
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					visit(path+"."+f.Name, func(r *Record) reflect.Value { return at(r).Field(i) })
				}
			}
			return
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				visit(path, func(r *Record) reflect.Value { return at(r).Index(i) })
			}
			return
		}
		switch path {
		case ".Client", ".Revision", ".WriteID", ".Written", ".Lineages.Tokens.RefreshToken": // the fingerprint tells
			return
		}
		r := base()
		f := at(r)
		switch {
		case f.Type() == reflect.TypeFor[time.Time]():
			f.Set(reflect.ValueOf(f.Interface().(time.Time).Add(time.Hour)))
		case f.Kind() == reflect.Array:
			f.Index(0).SetUint(f.Index(0).Uint() + 1)
		case f.Kind() == reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"other": "x"}))
		case f.Kind() == reflect.String:
			f.SetString(f.String() + "x")
		case f.Kind() == reflect.Bool:
			f.SetBool(!f.Bool())
		default:
			f.SetUint(f.Uint() + 1)
		}
		if Equal(r, base()) {
			t.Errorf("%s is not compared", path)
		}
	}
	visit("", func(r *Record) reflect.Value { return reflect.ValueOf(r).Elem() })
}

// everything is a record with something in every member.
func everything() *Record {
	r := rotated(2)
	p := func(token string) Presented {
		return Presented{RefreshToken: token, Binding: Binding{Grant: grant, Request: request, TokenEndpoint: "https://as.example/token"}}
	}
	imported := p("import\xff")
	imported.Imported, imported.Overruled, imported.Candidate = true, true, true
	r = r.Answered(3, p("token 2"), Token{RefreshToken: "base64:3", ObtainedAt: moment, ExpiresAt: moment.AddDate(0, 1, 0)})
	r = r.Answered(4, p("base64:3"), Token{RefreshToken: "token 4", ObtainedAt: moment, ExpiresAt: moment.AddDate(0, 1, 0)})
	r = r.Refuse(5, p("dead"), true, &Loss{Cause: "response_lost", Detail: "invalid_grant", At: moment, Unanswered: moment, UnansweredBy: "p-0"})
	r = r.Journal(Attempt{Number: 6, ID: "p-6", At: moment}, imported)
	r = r.Journal(Attempt{Number: 7, ID: "p-7", At: moment.Add(time.Second)}, imported)
	r = r.Obtain(AccessToken{
		Request: request, Grant: grant, Lineage: FingerprintOf("token 0"), Number: 4, AccessToken: "<access>", IDToken: "i\xff", TokenType: "Bearer",
		Scope: "a b", ObtainedAt: moment, ExpiresAt: moment.Add(time.Hour), Unusable: "characters", Response: map[string]string{"a.b": "base64:"},
	})
	r = r.Rest(Pause{Number: 7, Failures: 2, Until: moment.Add(time.Second), RetryAfter: moment.Add(time.Minute), Cause: "too_many"})
	c := *r
	c.Written = moment
	c.Client, c.Revision, c.WriteID, c.Forgotten = "erp", 9, "p-9", []Mark{MarkOf(FingerprintOf("forgotten"), 1)}
	c.unknown = map[string]jsonValue{"later": jsonValue(`{"a": 1}`)}
	return &c
}

func golden(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/record.json")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(data)
}

func TestTheFormatStaysWhatItIs(t *testing.T) {
	data := encoded(t, everything())
	if *update {
		if err := os.WriteFile("testdata/record.json", append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := golden(t); !bytes.Equal(data, want) {
		t.Errorf("got  %s\nwant %s", data, want)
	}
	if got := decoded(t, golden(t)); !Equal(got, everything()) {
		t.Errorf("read\n%s", encoded(t, got))
	}
}

func TestNoErrorOfADamagedRecordShowsWhatIsInIt(t *testing.T) {
	whole := golden(t)
	for i := range whole {
		for _, data := range [][]byte{whole[:i], append(append(bytes.Clone(whole[:i]), '!'), whole[i+1:]...)} {
			for _, format := range []int{1, Format} {
				if _, err := Decode(data, format); err != nil {
					hides(t, err)
				}
			}
		}
	}
	for _, data := range []string{
		`{"revision":1,"lineages":[{"id":"secret"}]}`, `{"revision":1,"lineages":"secret"}`, `{"revision":"secret"}`, `"secret"`, `secret`,
		`{"revision":1,"lineages":[{"id":"0000000000000001","tokens":[{"refresh_token":"base64:secret!"}]}]}`,
		`{"revision":1,"lineages":[{"id":"0000000000000001","consumed":["0000000000000001 secret"]}]}`,
		`{"revision":1,"lineages":[{"id":"0000000000000001","tokens":[{"refresh_token":"secret","said":"secret"}]}]}`,
		`{"revision":1,"attempts":[{"at":"secret"}]}`, `{"revision":1,"forgotten":[7]}`, `{"client":"secret"}`, ``,
	} {
		_, err := Decode([]byte(data), Format)
		if err == nil {
			t.Errorf("%s was read", data)
			continue
		}
		hides(t, err)
	}
}

func hides(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{"secret", "token 4", "<access>", "dead"} {
		if strings.Contains(err.Error(), secret) {
			t.Fatalf("%v shows %s", err, secret)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(golden(f), Format)
	f.Add([]byte(`{"client":"erp","revision":1,"refresh_token":"base64:AA==","spent":[""],"lost":{},"token":{},"attempt":{}}`), 1)
	f.Add([]byte(`{"revision":1,"lineages":[{},{}],"attempts":[{},{}],"access_tokens":[{},{},{}],"forgotten":["",""]}`), Format)
	f.Fuzz(func(t *testing.T, data []byte, format int) {
		r, err := Decode(data, format)
		if err != nil {
			if len(err.Error()) > 100 {
				t.Fatal(err)
			}
			return
		}
		again := decoded(t, encoded(t, r))
		if !Equal(r, again) {
			t.Fatalf("read\n%s\nthen\n%s", encoded(t, r), encoded(t, again))
		}
		if m := Merge(r, again); !Equal(m, r) {
			t.Fatalf("joined with itself\n%s\nis\n%s", encoded(t, r), encoded(t, m))
		}
		r.Newest()
		r.Elsewhere(0)
		r.Of(0)
		r.Lost(0)
		r.Journals()
	})
}
