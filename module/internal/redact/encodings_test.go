package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// encodings is the table of how servers and libraries write what they echo.
var encodings = []struct {
	name   string
	encode func(string) string
}{
	{"form", url.QueryEscape},
	{"path", url.PathEscape},
	{"percent", func(s string) string { return eachByte(s, "%%%02x") }},
	{"encodeURIComponent", func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }},
	{"HTML", html.EscapeString},
	{"HTML, decimal", func(s string) string { return eachRune(s, "&#%d;") }},
	{"HTML, hexadecimal", func(s string) string { return eachRune(s, "&#x%X;") }},
	{"JSON", func(s string) string { b, _ := json.Marshal(s); return strings.Trim(string(b), `"`) }},
	{"\\u", func(s string) string {
		var b strings.Builder
		for _, r := range s {
			if r > 0xffff {
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
				continue
			}
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		return b.String()
	}},
	{"\\x", func(s string) string { return eachByte(s, `\x%02x`) }},
	{"octal", func(s string) string { return eachByte(s, `\%03o`) }},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64, wrapped", func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s))) }},
	{"base64 after a name", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("id:" + s)) }},
	{"base64 after a longer name", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("name:" + s)) }},
	{"base64url", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"hexadecimal", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"HEXADECIMAL", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{"Latin-1 taken for UTF-8", func(s string) string { return string(asRunes(s)) }},
}

func eachByte(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func eachRune(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

func wrapped(s string) string {
	var b strings.Builder
	for ; len(s) > 16; s = s[16:] {
		b.WriteString(s[:16] + "\r\n")
	}
	return b.String() + s
}

func asRunes(s string) (runes []rune) {
	for i := range len(s) {
		runes = append(runes, rune(s[i]))
	}
	return runes
}

// Fault A13.
func TestASecretIsWithheldInEveryEncoding(t *testing.T) {
	for n, secret := range []string{"oG4+q/x=&%25 é-and-more", `pa"ss\word<>'&amp;%41+x/y`, "abcdefgh", "correct horse battery staple", "пароль-секрет"} {
		for _, first := range encodings {
			for i, second := range encodings {
				for j, third := range encodings {
					if n > 0 && i != 0 && j != 0 {
						continue // the whole cube for one is enough
					}
					var s Secrets
					s.Add(secret)
					text := "it was " + third.encode(second.encode(first.encode(secret))) + ", which is wrong"
					if got := s.Quote(text); got != Withheld {
						t.Fatalf("%q by %s, %s, %s: printed %s", secret, first.name, second.name, third.name, got)
					}
				}
			}
		}
	}
}

func TestAPartOfASecretIsWithheld(t *testing.T) {
	var s Secrets
	s.Add("0123456789abcdefghij")
	for text, want := range map[string]bool{
		"starts with 01234567": true, "ends with cdefghij": true, "has CDEF GHIJ": true, "broken 0123\n4567": true,
		"only 0123456": false, "shuffled 76543210": false,
	} {
		if got := s.Reveals(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestShortSecretsCountWhole(t *testing.T) {
	var s Secrets
	s.Add("hunter2", "abc", "pa+1", "p ä")
	s.AddWhole("abcdefghij", "code")
	for text, want := range map[string]bool{
		"it is hunter2!": true, "it is HUNTER2": true, "it is hunter": false, "abc": false, "has pa+1": true, "has pa%2B1": true,
		"abcdefghij": true, "abcdefghi": false, "invalid code": false, "it is aHVudGVyMg==, you see": true,
	} {
		if got := s.Reveals(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestOrdinaryWordsArePrinted(t *testing.T) {
	var s Secrets
	s.Add("oG4+q/x=&%25-and-more", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\n-----END PRIVATE KEY-----\n",
		`{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM50\n-----END PRIVATE KEY-----\n", "client_email": "a@b.example.com", "token_uri": "https://oauth2.googleapis.com/token"}`,
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl", "0123456789abcdef0123456789abcdef")
	s.AddWhole("https://api.example.com/", "password")
	for _, words := range []string{
		"invalid refresh token", "The provided authorization grant (e.g., authorization code, resource owner credentials) is invalid",
		"AADSTS70008: The provided authorization code or refresh token has expired due to inactivity. Trace ID: 0d4f1e5a-6c2b-4d0e-9f1a-2b3c4d5e6f70",
		"see https://login.example.com/oauth2/v2.0/token?help=1%20of%202 &amp; more", `the "private_key" is no -----BEGIN PRIVATE KEY-----`,
		"client_secret is missing for service_account", "令牌已失效，请重新登录", "50% off & more \\ so", "Ungültiges Token", "error_uri=https%3A%2F%2Fexample.com%2Fhelp",
	} {
		if s.Reveals(words) {
			t.Errorf("withheld: %s", words)
		}
	}
}

func TestWhatIsEncodedTooDeepIsWithheld(t *testing.T) {
	var s Secrets
	s.Add("oG4+q/x=&%25-and-more")
	for _, e := range encodings {
		if e.name == "Latin-1 taken for UTF-8" {
			continue // leaves ASCII as it is
		}
		text := "another!?&<>%+ one"
		for range 6 {
			text = e.encode(text)
		}
		if !s.Reveals(text) && utf8.RuneCountInString(text) < maxLooked {
			t.Errorf("%s, six times: printed", e.name)
		}
	}
}

func TestTheProcessRemembersTheNewestSecrets(t *testing.T) {
	defer func() { remembered = memory{} }()
	for i := range 3 * maxRemembered {
		Remember(fmt.Sprintf("remembered-%08d", i), fmt.Sprintf("remembered-%08d", i))
	}
	if n := len(remembered.all()); n != maxRemembered || len(remembered.known) != n {
		t.Errorf("%d values", n)
	}
	if got := Quote(fmt.Sprintf("it is %08d", 3*maxRemembered-1)); got != Withheld {
		t.Error(got)
	}
	Remember(strings.Repeat("x", 2*maxRememberedBytes))
	if n := len(remembered.all()); n != 1 {
		t.Errorf("%d values", n)
	}
}

// FuzzNoSecretIsPrinted takes a chain of encodings and a cut at both ends.
func FuzzNoSecretIsPrinted(f *testing.F) {
	f.Add("oG4+q/x=&%25 é", "because of ", ".", byte(1), byte(11), byte(16), uint8(0), uint8(0))
	f.Add("abc\xffdefghi", "", "", byte(0), byte(9), byte(4), uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, secret, before, after string, first, second, third byte, head, end uint8) {
		part := secret[min(int(head), len(secret)):]
		part = part[:max(0, len(part)-int(end))]
		// What counts are the characters that are compared. Blanks and plus signs are
		// none, and of what is no ASCII a part may be half a character.
		if len(folded(part)) < runLength || strings.ContainsFunc(secret, func(r rune) bool { return r > '~' || strings.ContainsRune(`%&\-={`, r) }) ||
			len(secret) > 1<<10 || len(before)+len(after) > 1<<10 {
			t.Skip()
		}
		text := part
		for _, e := range []byte{first, second, third} {
			text = encodings[int(e)%len(encodings)].encode(text)
		}
		if len(text) > maxLooked-len(before)-1 {
			t.Skip()
		}
		var s Secrets
		s.Add(secret)
		if got := s.Text(before + " " + text + " " + after); got != Withheld {
			t.Errorf("printed %q", got)
		}
	})
}

// FuzzForeignWordsArePrintable: nothing fails, and nothing is printed that is not
// bounded and visible.
func FuzzForeignWordsArePrintable(f *testing.F) {
	f.Add("a\x1b[2J", "secret\xff")
	f.Add("%u12&#x;\\u{12}\\ud800\\x\\0%", "\\u%&#")
	f.Fuzz(func(t *testing.T, words, secret string) {
		var s Secrets
		s.Add(secret)
		s.AddWhole(secret)
		for _, printed := range []string{s.Quote(words), s.Text(words)} {
			if utf8.RuneCountInString(printed) > 10*maxText+3 || !utf8.ValidString(printed) {
				t.Errorf("printed %d bytes: %q", len(printed), printed)
			}
			for _, r := range printed {
				if !unicode.IsPrint(r) {
					t.Fatalf("printed %q", printed)
				}
			}
			if len(secret) >= runLength && strings.Contains(printed, secret) && printed != Withheld && isASCII(secret) && len(parts(secret)) == 1 && parts(secret)[0] == secret {
				t.Errorf("printed %q", printed)
			}
		}
	})
}

func TestTextIsAlwaysPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		for _, r := range Text(text) + Quote(text) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q", r)
			}
		}
	})
}

func BenchmarkLongAnswerAndLongSecret(b *testing.B) {
	for name, secret := range map[string]string{
		"text": strings.Repeat("0123456789-ABCDEFGHIJ", 1<<20/21), "escapes": strings.Repeat("%41&amp;\\u0041é", 1<<20/17),
	} {
		b.Run(name, func(b *testing.B) {
			answer := strings.Repeat("invalid/request+c2VjcmV0 ", 1<<20/25)
			b.ReportAllocs()
			for b.Loop() {
				var s Secrets
				s.Add(secret)
				s.Quote(answer)
			}
		})
	}
}

func BenchmarkUsualDescription(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var s Secrets
		s.Add("0123456789abcdef0123456789abcdef", "another-refresh-token-0123456789")
		s.Quote("The provided authorization grant or refresh token is invalid, expired or revoked")
	}
}
