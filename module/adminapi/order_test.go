package adminapi

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A server that trims what it is sent takes a spent token with a blank for spent: the
// blank made another token of it, which was sent, and the family was ended.
func TestWhatIsAroundARefreshTokenIsNotPartOfIt(t *testing.T) {
	for _, around := range []string{"R1", " R1", "R1 ", "R1\n", "R1\r\n", "R1\n\n", "\tR1", "\ufeffR1", "\ufeff R1\r\n", "\u00a0R1\u2003", "R1\u200b", "R1\u0085\u2028"} {
		if token, err := CheckToken(around); token != "R1" || err != nil {
			t.Errorf("%q: got %q, %v", around, token, err)
		}
	}
	if token, err := CheckToken(" a b'\"c\n"); token != "a b'\"c" || err != nil {
		t.Errorf("got %q, %v", token, err)
	}
}

func TestWhatIsAroundARefreshTokenNeverMakesItAnother(t *testing.T) {
	blanks := rapid.StringOfN(rapid.SampledFrom([]rune(" \t\r\n\v\f\u0085\u00a0\u2003\u2028\u200b\ufeff")), 0, 5, -1)
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!#-&(-_a-~]([ -~]{0,40}[!#-&(-_a-~])?`).Draw(t, "token")
		got, err := CheckToken(blanks.Draw(t, "before") + token + blanks.Draw(t, "after"))
		if err != nil || got != token {
			t.Fatalf("got %q, %v, want %q", got, err, token)
		}
	})
}

func TestWhatCanBeNoRefreshTokenIsRefusedAndNotSaid(t *testing.T) {
	for supplied, says := range map[string]string{
		"":                   "empty",
		" \ufeff\r\n":        "empty",
		"R1xyzzy\nR2":        "line break",
		"R1xyzzy\x00":        "control",
		`"R1xyzzy"`:          "quotes",
		`'R1xyzzy'`:          "quotes",
		"\ufeff\"R1xyzzy\" ": "quotes",
		"“R1xyzzy”":          "quotes",
		`"`:                  "quotes",
		`""`:                 "quotes",
	} {
		token, err := CheckToken(supplied)
		if token != "" || err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "xyzzy") {
			t.Errorf("%q: got %q, %v", supplied, token, err)
		}
	}
}
