package percaller

import (
	"strings"
	"testing"
)

// Fault C8.
func TestWhatCanBeNoTokenIsTheCallersAffair(t *testing.T) {
	for token, cause := range map[string]string{
		"":                                   "no_subject_token",
		"abc\xffdef":                         causeMalformed,
		"\xff\xfe":                           causeMalformed,
		"a b":                                causeMalformed,
		"a\tb":                               causeMalformed,
		"a\x00b":                             causeMalformed,
		"a\r\nX-Evil: 1":                     causeMalformed,
		"a\x7f":                              causeMalformed,
		"a\u00a0b":                           causeMalformed,
		"tökén":                              causeMalformed,
		"a,b":                                causeMalformed,
		strings.Repeat("a", 16<<10+1):        causeMalformed,
		strings.Repeat("a", 16<<10):          "",
		"e30.e30.c2ln":                       "",
		"2YotnFZFEjr1zCsicMWpAA==":           "",
		"-._~+/=|!#$%&'()*:;<>?@[]^`{}\"\\a": "",
	} {
		f := CheckSubjectToken(token)
		switch {
		case cause == "" && f != nil:
			t.Errorf("%.40q: %+v", token, f)
		case cause != "" && (f == nil || f.Cause != cause || !f.Refused):
			t.Errorf("%.40q: %+v, want %s", token, f, cause)
		case f != nil && len(token) > 3 && strings.Contains(f.Detail, token):
			t.Errorf("%.40q is quoted: %s", token, f.Detail)
		}
	}
}
