package tokenendpoint

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestARefreshTokenIsFoundInWhatIsNoWholeJSON(t *testing.T) {
	const good = `{"access_token":"A2","refresh_token":"R2\/\u0041","expires_in":60}`
	for name, body := range map[string]string{
		"a prefix against hijacking":  ")]}',\n" + good,
		"JSONP":                       "callback(" + good + ");",
		"a raw line break before it":  "{\"note\":\"two\nlines\"," + good[1:],
		"a bad escape before it":      `{"note":"\x",` + good[1:],
		"nested too deep before it":   `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "," + good[1:],
		"a word that is none in JSON": `{"note":undefined,` + good[1:],
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if a.RefreshToken != "R2/A" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestARefreshTokenThatAnAnswerShowsOtherwiseIsKeptToo(t *testing.T) {
	for name, body := range map[string]string{
		"said again, empty": `{"access_token":"A2","refresh_token":"R2","refresh_token":""}`,
		"in a list":         `{"access_token":"A2","refresh_token":["R2"]}`,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)})
		if a.Outcome != Granted || a.RefreshToken != "R2" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestTokensAreKeptWhateverTheStatusIs(t *testing.T) {
	const tokens = `{"access_token":"A2","refresh_token":"R2","expires_in":60}`
	for _, status := range []int{302, 400, 401, 500, 503} {
		a := ask(t, Dialect{}, Request{URL: answering(t, status, nil, tokens)})
		if a.Outcome != Granted || a.AccessToken != "A2" || a.RefreshToken != "R2" {
			t.Errorf("%d: %+v", status, a)
		}
	}
	// What an error says of a refresh token is none.
	for _, body := range []string{
		`{"refresh_token":"this field is invalid"}`,
		`{"refresh_token":["this field is invalid"]}`,
		`{"error":"invalid_request","access_token":"A2","refresh_token":"R2"}`,
		`)]}' {"refresh_token":"invalid"}`,
	} {
		a := ask(t, Dialect{}, Request{URL: answering(t, 400, nil, body)})
		if a.Outcome == Granted || a.RefreshToken != "" {
			t.Errorf("%s: %+v", body, a)
		}
	}
	a := ask(t, Dialect{IgnoreRefreshToken: true}, Request{URL: answering(t, 500, nil, tokens)})
	if a.Outcome != Unavailable {
		t.Errorf("for a grant without a refresh token: %+v", a)
	}
}

// cut answers with the first part of a body that was to be longer.
func cut(t *testing.T, part string) Request {
	server := serveRaw(t, func(conn net.Conn, _ string) {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(part)+20, part)
	})
	return Request{URL: "http://" + server.address}
}

func TestHalfATokenIsNone(t *testing.T) {
	for name, part := range map[string]string{
		"form":    "access_token=A2&expires_in=60&refresh_token=R2-first-ha",
		"percent": "access_token=A2&refresh_token=R2%2",
		"number":  `{"access_token":"A2","expires_in":60,"refresh_token":1234567`,
	} {
		if a := ask(t, Dialect{}, cut(t, part)); a.RefreshToken != "" || a.Outcome != Unanswered {
			t.Errorf("refresh token in a %s: %+v", name, a)
		}
	}
	for name, test := range map[string]struct {
		dialect Dialect
		part    string
	}{
		"form": {Dialect{IgnoreRefreshToken: true}, "expires_in=60&access_token=A2-first-ha"},
		"body": {Dialect{IgnoreRefreshToken: true, AccessTokenPath: "@body", ExpiresFormat: "none"}, "A2-first-ha"},
	} {
		if a := ask(t, test.dialect, cut(t, test.part)); a.Outcome == Granted {
			t.Errorf("access token in a %s: %+v", name, a)
		}
	}
	if a := ask(t, Dialect{}, cut(t, `{"access_token":"A2","refresh_token":"R2","expires_in":36`)); a.Outcome != Granted || a.ExpiresDefaulted == "" {
		t.Errorf("a cut lifetime was believed: %+v", a)
	}
}

func TestARefreshTokenOfTheRequestThatIsRepeatedIsNotTheNewOne(t *testing.T) {
	request := cut(t, `{"request":{"refresh_token":"R1"},"access_token":"A2","expires_in":60,"refresh_tok`)
	request.RefreshToken = "R1"
	a := ask(t, Dialect{}, request)
	if a.Outcome != Unanswered || a.RefreshToken != "" {
		t.Errorf("%+v", a)
	}
}
