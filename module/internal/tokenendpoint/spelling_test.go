package tokenendpoint

import (
	"strings"
	"testing"
)

// Fault A6. A refresh token under a name that is spelled otherwise is kept, and what an
// answer has elsewhere is named with the setting for it, and never its value.
func TestMembersInOtherSpellingsAreKeptOrNamed(t *testing.T) {
	for body, test := range map[string]struct {
		granted bool
		refresh string
		says    string // Detail, Remarks or ExpiresDefaulted
	}{
		`{"access_token":"A2","refreshToken":"R2","expires_in":60}`:             {true, "R2", "the member refreshToken is used"},
		`{"access_token":"A2","Refresh-Token":"R2","expires_in":60}`:            {true, "R2", "the member Refresh-Token is used"},
		`{"access_token":"A2","REFRESH_TOKEN":"R2","expires_in":60}`:            {true, "R2", "the member REFRESH_TOKEN is used"},
		`{"access_token":"A2","refreshToken":"old-one-0","expires_in":60}`:      {true, "", ""},
		`{"access_token":"A2","refreshToken":null,"expires_in":60}`:             {true, "", ""},
		`{"access_token":"A2","refreshToken":{"expires_in":5},"expires_in":60}`: {true, "", ""},
		`{"access_token":"A2","refresh_tokens":"R2","expires_in":60}`:           {true, "", ""},
		`{"access_token":"A2","expiresIn":60}`:                                  {true, "", "'expires_path expiresIn'"},
		`{"accessToken":"A2","refreshToken":"R2","expiresIn":60}`: {
			false, "R2",
			"'access_token_path accessToken' and 'refresh_token_path refreshToken' and 'expires_path expiresIn'",
		},
		`{"Access-Token":"A2","RefreshToken":"R2"}`:                         {false, "R2", "'access_token_path Access-Token' and 'refresh_token_path RefreshToken'"},
		`{"data":{"accessToken":"A2"},"code":0}`:                            {false, "", "'access_token_path data.accessToken'"},
		`{"code":0,"data":[{"access_token":"A2","refresh_token":"R2"}]}`:    {false, "R2", "'access_token_path data.0.access_token' and 'refresh_token_path data.0.refresh_token'"},
		`{"accessToken":false}`:                                             {false, "", "it holds accessToken"},
		`{"a b\u001b":{"accessToken":"A2"}}`:                                {false, "", "nothing with a name"},
		`accessToken=A2&refreshToken=R2`:                                    {false, "R2", "'access_token_path accessToken'"},
		`Warning: {"accessToken":"A2","refreshToken":"R2","expires_in":60}`: {true, "R2", ""},
	} {
		r := refresh
		r.RefreshToken, r.ClientSecret = "old-one-0", "s3cret"
		r.URL = answering(t, 200, nil, body)
		a := ask(t, Dialect{}, r)
		said := a.Detail + a.ExpiresDefaulted
		for _, remark := range a.Remarks {
			said += remark.Detail
			if remark.Remedy == "" {
				t.Errorf("%q has no remedy", remark.Detail)
			}
		}
		if (a.Outcome == Granted) != test.granted || a.RefreshToken != test.refresh || !strings.Contains(said, test.says) {
			t.Errorf("%s: %+v", body, a)
		}
		if strings.Contains(said, "A2") || strings.Contains(said, "R2") || test.says == "" && said != "" {
			t.Errorf("%s: says %q", body, said)
		}
		if !test.granted && a.Cause != CauseNoAccessToken {
			t.Errorf("%s: %+v", body, a)
		}
	}
	a := ask(t, Dialect{AccessTokenPath: "d.access_token", RefreshTokenPath: "d.refresh_token"},
		Request{URL: answering(t, 200, nil, `{"d":{"access_token":"A2","refreshToken":"R2"}}`)})
	if a.Outcome != Granted || a.RefreshToken != "R2" {
		t.Errorf("below a path: %+v", a)
	}
	a = ask(t, Dialect{IgnoreRefreshToken: true}, Request{URL: answering(t, 200, nil, `{"accessToken":"A2","refreshToken":"R2"}`)})
	if a.RefreshToken != "" || !strings.Contains(a.Detail, "accessToken") || strings.Contains(a.Detail, "refresh_token_path") {
		t.Errorf("for a grant without a refresh token: %+v", a)
	}
}
