package tokenendpoint

import (
	"strings"
	"testing"
)

// Many APIs name a code in every answer. One that means success is no error, so
// the token request may have been granted after all.
func TestCodesOfSuccessAreNoErrors(t *testing.T) {
	for _, code := range []string{`0`, `"0"`, `"00000"`, `200`, `"200"`, `"OK"`, `"success"`, `"SUCCESS"`, `false`} {
		d := Dialect{AccessTokenPath: "data.token", ErrorPath: "errcode|code"}
		a := ask(t, d, Request{URL: answering(t, 200, nil, `{"code":`+code+`,"data":{"token":"A2"}}`)})
		if a.Outcome != Granted || a.AccessToken != "A2" {
			t.Errorf("code %s beside a token: %+v", code, a)
		}
		a = ask(t, d, Request{URL: answering(t, 200, nil, `{"code":`+code+`,"data":{"accessToken":"A2-secret"}}`)})
		if a.Outcome != Unavailable || a.Cause != CauseNoAccessToken || !strings.Contains(a.Detail, "at data.token; it holds code, data") || strings.Contains(a.Detail, "A2-secret") {
			t.Errorf("code %s without a token: %+v", code, a)
		}
	}
}

func TestAnAnswerWithoutATokenSaysWhereItWasLookedForWhateverItsCode(t *testing.T) {
	a := ask(t, Dialect{AccessTokenPath: "data.token", ErrorPath: "code"}, Request{URL: answering(t, 200, nil, `{"code":40013,"msg":"invalid appid","trace":"A2-secret"}`)})
	if a.Outcome != Misconfigured || a.Cause != "40013" || !strings.Contains(a.Detail, "at data.token; it holds code, msg, trace") || strings.Contains(a.Detail, "A2-secret") {
		t.Errorf("%+v", a)
	}
}

// The status of an HTTP error that is repeated as the code is one.
func TestACodeOfSuccessInAnHTTPErrorIsAnError(t *testing.T) {
	for body, want := range map[string]string{`{"error":{"code":200,"message":"permission"}}`: "200", `{"error":0}`: CauseRequestRejected} {
		if a := ask(t, Dialect{}, Request{URL: answering(t, 403, nil, body)}); a.Outcome != Misconfigured || a.Cause != want {
			t.Errorf("%s: %+v", body, a)
		}
	}
}
