package redact

import (
	"strings"
	"testing"
)

// Fault A14.
func TestForeignWordsAreEscapedAndBounded(t *testing.T) {
	for _, test := range []struct{ words, want string }{
		{"plain: https://as.example/x?y", `"plain: https://as.example/x?y"`},
		{`a "quoted" \ word`, `"a \"quoted\" \\ word"`},
		{"a\x1b[2J\x00\r\n", `"a\x1b[2J\x00\x0d\x0a"`},
		{"\u009b31m\u202e\u200b\u2028\ufeff", `"\u009b31m\u202e\u200b\u2028\ufeff"`},
		{"\xff\xfeÄ", `"\xff\xfeÄ"`},
	} {
		if got := Quote(test.words); got != test.want {
			t.Errorf("%q becomes %s, want %s", test.words, got, test.want)
		}
	}
	if got := Quote(strings.Repeat("Ä", 1000)); got != `"`+strings.Repeat("Ä", 200)+`…"` {
		t.Errorf("long words become %s", got)
	}
}

func TestTextMayPassAgain(t *testing.T) {
	text := Text("says " + Quote("\x1b \\ \" \xff"))
	if again := Text(text); again != text {
		t.Errorf("%s becomes %s", text, again)
	}
}

// Faults A1, A2.
func TestSecretsMayBeAnyBytes(t *testing.T) {
	for _, secret := range []string{"abc\xffdefgh", "\x00\x01\x02\x03\x04", "sch\xf6n-secret", strings.Repeat("\xff", 1<<20)} {
		var s Secrets
		s.Add(secret)
		if got := s.Quote("it was " + secret); got != Withheld {
			t.Errorf("prints %.100s", got)
		}
		if got := s.Quote("it was another"); got != `"it was another"` {
			t.Errorf("withholds other words: %.100s", got)
		}
	}
}

func TestEveryWayToPrintForeignWordsWithholdsSecrets(t *testing.T) {
	const secret = "the-token-of-a-client-0123456789"
	var s Secrets
	s.Add(secret)
	for name, print := range map[string]func(string) string{"Quote": s.Quote, "Text": s.Text, "Word": s.Word} {
		for _, echo := range []string{secret, "x" + secret[4:13] + "x", "the-tok{en-of-a{-client{-012345{6789"} {
			if got := print(echo); strings.Contains(got, secret[4:13]) {
				t.Errorf("%s prints %s", name, got)
			}
		}
	}
	if got := s.Word(`a "b" c` + "\x1b"); got != "abc" {
		t.Errorf("a word becomes %q", got)
	}
}
