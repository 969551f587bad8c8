package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// encoders write what the table of encodings undoes, as the usual libraries do.
var encoders = []struct {
	name   string
	encode func(string) string
}{
	{"percent", url.PathEscape},
	{"encodeURIComponent", func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }},
	{"every byte percent", func(s string) string { return each(s, "%%%02X") }},
	{"form", url.QueryEscape},
	{"HTML", html.EscapeString},
	{"HTML by number", func(s string) string { return eachRune(s, "&#%d;") }},
	{"HTML by hexadecimal number", func(s string) string { return eachRune(s, "&#x%x;") }},
	{"JSON", func(s string) string { quoted, _ := json.Marshal(wide(s)); return string(quoted) }},
	{"Go", strconv.Quote},
	{"Go in ASCII", strconv.QuoteToASCII},
	{`\u`, func(s string) string { return eachRune(s, `\u%04x`) }},
	{`\x`, func(s string) string { return each(s, `\x%02x`) }},
	{"octal", func(s string) string { return each(s, `\%03o`) }},
	{"UTF-16", func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") }},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64url", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"base64, one byte in", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(":" + s)) }},
	{"base64, two bytes in", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("id" + s)) }},
	{"base64 in lines", func(s string) string { return lines(base64.StdEncoding.EncodeToString([]byte(s)), 64) }},
	{"lines", func(s string) string { return lines(s, 5) }},
	{"hex", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"HEX", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{"UTF-8", wide},
}

// each writes every byte.
func each(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// eachRune writes every character, by the numbers that languages with UTF-16 or
// ISO 8859-1 have for it.
func eachRune(s, format string) string {
	var b strings.Builder
	for _, r := range wide(s) {
		if r > 0xffff {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

// wide takes what is no UTF-8 for ISO 8859-1.
func wide(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func lines(s string, length int) string {
	var b strings.Builder
	for len(s) > length {
		b.WriteString(s[:length] + "\r\n")
		s = s[length:]
	}
	return b.String() + s
}

// Fault A13.
func TestASecretIsRecognisedInEveryEncoding(t *testing.T) {
	for _, secret := range []string{
		`oG4+q/x=&yT<"\7%41'w`, "Zm9vYmFyLXNlY3JldA", "pass word with blanks", "sch\xf6ner-Schl\xfcssel", "schöner-Schlüssel",
		"密码是很秘密的", "0123456789", "\x00\x01\x02\xfe\xfd\x80abc\x1b", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqb2UifQ.c2lnbmF0dXJl",
	} {
		var s Secrets
		s.Add(secret)
		for _, first := range encoders {
			for _, second := range encoders {
				for _, echo := range []string{second.encode(first.encode(secret)), strings.ToUpper(first.encode(secret)), strings.ToLower(first.encode(secret))} {
					if !strings.ContainsRune(echo, utf8.RuneError) && !s.Reveals("the value "+echo+" is not known") {
						t.Errorf("%q in %s, %s is not recognised: %q", secret, first.name, second.name, echo)
					}
				}
			}
		}
	}
}

func TestAPartOfEightCharactersIsRecognised(t *testing.T) {
	const secret = "oG4+q/x=&yT<7%w"
	var s Secrets
	s.Add(secret)
	for start := range len(secret) {
		for end := start + 1; end <= len(secret); end++ {
			if got := s.Reveals("(" + secret[start:end] + ")"); got != (end-start >= 8) {
				t.Errorf("%s: %t", secret[start:end], got)
			}
		}
	}
}

func TestShortSecretsCountWholeAndVeryShortOnesNever(t *testing.T) {
	for secret, texts := range map[string]map[string]bool{
		"p ä1":    {"p%20%E41": true, "p ä2": false},
		"abc":     {"abc": false, "abcdefg": false},
		"k3y!":    {"your K3Y! here": true, "k3y": false, "azN5IQ==": true, "k3y%21": true},
		"hunter2": {"hunter2": true, "hunter": false, "hunter 2": true},
	} {
		var s Secrets
		s.Add(secret)
		for text, want := range texts {
			if got := s.Reveals(text); got != want {
				t.Errorf("%q of %q: %t", text, secret, got)
			}
		}
	}
}

func TestValuesThatMayBeSecretCountWholeOnly(t *testing.T) {
	var s Secrets
	s.AddWhole("joe@example.com", "urn:example:"+strings.Repeat("x", 1<<20))
	for text, want := range map[string]bool{
		"joe@example.com": true, "joe%40example.com": true, "bob@example.com": false, "joe@example.co": false,
		"urn:example:" + strings.Repeat("x", 1<<20): true, "urn:example:xx": false,
	} {
		if got := s.Reveals(text); got != want {
			t.Errorf("%.40q: %t", text, got)
		}
	}
}

// Fault A13.
func TestPartsInRandomChainsOfEncodingsAreRecognised(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 13))
	const characters = `abcXYZ0189-._~+/=&%<>"'\;:u x`
	for range 5000 {
		b := make([]byte, 8+random.IntN(60))
		for i := range b {
			b[i] = characters[random.IntN(len(characters))]
		}
		front := random.IntN(len(b) - 7)
		secret, part := string(b), string(b[front:front+8+random.IntN(len(b)-front-7)])
		if len(withoutBlanks(part)) < 8 {
			continue // line breaks cannot be told from its blanks
		}
		echo := part
		var names []string
		for range random.IntN(4) {
			e := encoders[random.IntN(len(encoders))]
			echo, names = e.encode(echo), append(names, e.name)
		}
		var s Secrets
		s.Add(secret)
		if len(echo) < maxRead && !s.Reveals("not "+echo+" then") {
			t.Errorf("%q of %q in %q is not recognised: %q", part, secret, names, echo)
		}
	}
}

// Fault A13.
func TestTheBasicHeaderIsRecognised(t *testing.T) {
	var s Secrets
	s.Add("x7Kd92-pLq0")
	for _, id := range []string{"a", "ab", "abc", "an-id"} {
		if header := "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":x7Kd92-pLq0")); !s.Reveals(header) {
			t.Errorf("prints %s", header)
		}
	}
}

func TestOrdinaryErrorsStayReadable(t *testing.T) {
	var s Secrets
	s.Add("my-client_secret-9", "refresh_token.1", "password123", "https://www.as.test/t/abc", "invalid_grants",
		"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n",
		`{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM50\n-----END PRIVATE KEY-----\n", "client_email": "a@b.example.com", "token_uri": "https://oauth2.googleapis.com/token"}`,
		"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJqb2UifQ.c2lnbmF0dXJl")
	s.AddWhole("https://api.example.com/", "password", "code", "client_credentials")
	for _, text := range []string{
		"invalid refresh token", "invalid code", "password is missing", "client_secret is missing for service_account", "令牌已失效，请重新登录",
		"50% off & more \\ so", "Ungültiges Token", "error_uri=https%3A%2F%2Fexample.com%2Fhelp", "see https://oauth2.googleapis.com/token", "The refresh_token is expired", "invalid private key", "wrong username or password",
		"the header eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9 is not understood", "expected -----BEGIN PRIVATE KEY-----",
		"see https://www.example.com/errors?code=12%20", "AADSTS70008: The provided authorization code or refresh token has expired due to inactivity.\r\n" +
			"Trace ID: 0f1d2c3b-aa00-4bcd-8e9f-112233445566 Correlation ID: 99aabbcc-ddee-4f00-8111-223344556677 Timestamp: 2026-11-25 10:00:00Z",
		strings.Repeat("The authorization server is down for maintenance &amp; comes back soon, by 100%. ", 200),
	} {
		if s.Reveals(text) {
			t.Errorf("withholds %.100s", text)
		}
	}
}

func TestWhatIsEncodedTooOftenIsWithheld(t *testing.T) {
	var s Secrets
	s.Add("x7Kd92-pLq0")
	echo := "x7Kd92-pLq0"
	for range 9 {
		echo = url.QueryEscape(each(echo, "%%%02X"))
		if len(echo) < maxRead && !s.Reveals(echo) {
			t.Errorf("prints %.100s", echo)
		}
	}
}

func TestTheProcessRemembersTheNewestSecrets(t *testing.T) {
	t.Cleanup(func() { remembered = memory{} })
	Remember("abc", "client_secret", "first-secret-value")
	if Text("invalid client_secret abc") == Withheld || Text("first-se") != Withheld {
		t.Error("remembers the wrong values")
	}
	for i := range maxRemembered {
		Remember(fmt.Sprintf("%d is another", i))
	}
	if Text("first-secret-value") == Withheld || Text("17 is another") != Withheld {
		t.Error("does not keep the newest")
	}
	for range 10 {
		Remember(strings.Repeat("x", 1<<22) + strconv.Itoa(rand.Int()))
	}
	if len(remembered.places) != remembered.values.Len() || remembered.bytes > maxRememberedBytes {
		t.Errorf("%d bytes", remembered.bytes)
	}
}

// BenchmarkAFullMemory is a usual error while the process remembers as much as it may.
func BenchmarkAFullMemory(b *testing.B) {
	b.Cleanup(func() { remembered = memory{} })
	for range maxRemembered {
		Remember(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
	}
	b.ReportAllocs()
	for b.Loop() {
		Quote("invalid refresh token")
	}
}

func BenchmarkAMegabyte(b *testing.B) {
	random := func(n int) string {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(rand.IntN(256))
		}
		return base64.StdEncoding.EncodeToString(raw)[:n]
	}
	words := strings.Repeat("some words &amp; %41 +\\n ", 1<<20/24)
	for name, texts := range map[string][2]string{
		"words":           {words, random(1 << 20)},
		"base64":          {random(1 << 20), random(1 << 20)},
		"secret of bytes": {words, strings.Repeat("\xff\xfe\x00 \xc3\xa4", 1<<18)[:1<<20]},
		"short words":     {"invalid refresh token", random(1 << 20)},
		"usual":           {"invalid refresh token", random(40)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var s Secrets
				s.Add(texts[1])
				s.Quote(texts[0])
			}
		})
	}
}

// FuzzSecretIsWithheld draws a chain of at most three encodings of a secret, and
// cuts it so that eight characters of the secret are left.
func FuzzSecretIsWithheld(f *testing.F) {
	f.Add("x7Kd92-pLq0&t=", uint8(0), uint8(4), uint8(12), uint16(0), uint16(0), "before ", " after")
	f.Add("sch\xf6ner-Schl\xfcssel", uint8(20), uint8(4), uint8(12), uint16(2), uint16(1), "id:", "")
	f.Add("%41&amp;\\u0041+/==", uint8(7), uint8(3), uint8(18), uint16(3), uint16(3), "", "=")
	f.Fuzz(func(t *testing.T, secret string, a, b, c uint8, cutFront, cutBack uint16, before, after string) {
		if len(secret) > 500 || len(before)+len(after) > 500 {
			return
		}
		if strings.ContainsAny(before[max(0, len(before)-8):], `%\&`) {
			return // an escape that begins there takes some of the characters
		}
		characters := fuzzCharacters(secret)
		front := int(cutFront) % (len(characters) + 1)
		back := int(cutBack) % (len(characters) - front + 1)
		kept := characters[front : len(characters)-back]
		if len(kept) < 8 {
			return
		}
		part := strings.Join(kept, "")
		for _, form := range forms(part) {
			if len(form) < 8 || ordinary.all(form) {
				return
			}
		}
		echo := part
		var names []string
		for _, n := range []uint8{a, b, c} {
			e := encoders[int(n)%len(encoders)]
			if (e.name == "lines" || e.name == "UTF-16") && (slices.Contains(names, e.name) || strings.ContainsFunc(echo, func(r rune) bool { return r >= utf8.RuneSelf })) {
				return // nobody breaks lines amid a character or a line break, or writes UTF-16 as UTF-16
			}
			echo = e.encode(echo)
			names = append(names, e.name)
		}
		if len(echo) > maxRead-600 || strings.ContainsRune(echo, utf8.RuneError) && !strings.ContainsRune(secret, utf8.RuneError) {
			return // what is lost is not found
		}
		var s Secrets
		s.Add(secret)
		if !s.Reveals(before + echo + after) {
			t.Errorf("%q of %q in %q is not recognised: %q", part, secret, names, echo)
		}
	})
}

// fuzzCharacters cuts a secret into what a library of its character set would.
func fuzzCharacters(secret string) (characters []string) {
	for len(secret) > 0 {
		_, size := utf8.DecodeRuneInString(secret)
		characters = append(characters, secret[:size])
		secret = secret[size:]
	}
	return characters
}

// FuzzForeignWords holds that everything can be printed.
func FuzzForeignWords(f *testing.F) {
	f.Add("a\x1b[2J\u202e\u009b\xff", "secret-value")
	f.Add(strings.Repeat("%25", 3000), "%25%25%25%25")
	f.Fuzz(func(t *testing.T, words, secret string) {
		var s Secrets
		s.Add(secret)
		s.AddWhole(words)
		for _, s := range []*Secrets{&s, nil} {
			for _, printed := range []string{s.Quote(words), s.Text(words)} {
				if len(printed) > 4*maxText+16 || !utf8.ValidString(printed) {
					t.Errorf("not fit to print: %q", printed)
				}
				for _, r := range printed {
					if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
						t.Errorf("prints %U: %q", r, printed)
					}
				}
				if len(secret) >= 8 && s != nil && bytes.Contains([]byte(printed), []byte(secret)) && !ordinary.all(secret) {
					t.Errorf("prints %q: %q", secret, printed)
				}
			}
		}
		if again := Text(s.Text(words)); again != s.Text(words) {
			t.Errorf("%q becomes %q", s.Text(words), again)
		}
	})
}
