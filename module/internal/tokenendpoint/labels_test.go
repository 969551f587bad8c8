package tokenendpoint

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// documents are an answer in whatever is no JSON, and what its words for people call it.
var documents = map[string]struct{ body, looks string }{
	"XML":             {`<?xml version="1.0"?><Response><access_token>A2</access_token><refresh_token>R2</refresh_token><expires_in>60</expires_in></Response>`, "an XML document"},
	"namespaces":      {`<o:r xmlns:o="u:o"><o:accessToken t="x">A2</o:accessToken><o:refreshToken><![CDATA[R2]]></o:refreshToken><o:expiresIn>60</o:expiresIn></o:r>`, "an XML document"},
	"attributes":      {`<token access_token="A2" refresh_token="R2" expires_in="60"/>`, "an XML document"},
	"a property list": {"<?xml version=\"1.0\"?>\n<plist><dict><key>access_token</key>\n<string>A2</string><key>refresh_token</key><string>R2</string><key>expires_in</key><integer>60</integer></dict></plist>", "an XML document"},
	"XML-RPC":         {`<methodResponse><member><name>access_token</name><value><string>A2</string></value></member><member><name>refresh_token</name><value><string>R2</string></value></member><member><name>expires_in</name><value><int>60</int></value></member></methodResponse>`, "an XML document"},
	"a hidden form":   {`<html><body><form><input type="hidden" name="access_token" value="A2"><input name="refresh_token" value="R2"><input name="expires_in" value="60"></form></body></html>`, "an HTML page"},
	"a table":         {`<html><table><tr><td>access_token</td><td>A2</td></tr><tr><td>refresh_token</td><td>R2</td></tr><tr><td>expires_in</td><td>60</td></tr></table>`, "an HTML page"},
	"var_dump":        {"array(3) {\n  [\"access_token\"]=>\n  string(2) \"A2\"\n  [\"refresh_token\"]=>\n  string(2) \"R2\"\n  [\"expires_in\"]=>\n  int(60)\n}\n", "var_dump"},
	"a private one":   {"object(Token)#3 (2) {\n  [\"access_token\":protected]=>\n  string(2) \"A2\"\n  [\"refresh_token\":protected]=>\n  string(2) \"R2\"\n  [\"expires_in\":protected]=>\n  int(60)\n}\n", "var_dump"},
	"print_r":         {"<pre>Array\n(\n    [access_token] => A2\n    [refresh_token] => R2\n    [expires_in] => 60\n)\n", "print_r"},
	"var_export":      {"array (\n  'access_token' => 'A2',\n  'refresh_token' => 'R2',\n  'expires_in' => 60,\n)", "var_export"},
	"serialize":       {`a:3:{s:12:"access_token";s:2:"A2";s:13:"refresh_token";s:2:"R2";s:10:"expires_in";s:2:"60";}`, "serialize"},
	"YAML":            {"---\naccess_token: A2\nrefresh_token: \"R2\"\nexpires_in: 60\n", "YAML"},
	"YAML alone":      {"access_token: A2\ntoken_type: Bearer\nrefresh_token: R2\nexpires_in: 60\n", "YAML"},
	"properties":      {"access_token = A2\nrefresh_token = R2\nexpires_in = 60\n", "line by line"},
	"Ruby":            {`{"access_token"=>"A2", "refresh_token"=>"R2", "expires_in"=>60}`, ""},
	"Ruby's symbols":  {`{:access_token=>"A2", :refresh_token=>"R2", :expires_in=>60}`, ""},
	"Rust":            {`Token { access_token: "A2", refresh_token: "R2", expires_in: 60 }`, "text"},
	"Go":              {`{AccessToken:A2 RefreshToken:R2 ExpiresIn:60 TokenType:Bearer}`, ""},
	"a record":        {"Token[accessToken=A2, refreshToken=R2, expiresIn=60]", "text"},
	"Python":          {`Token(access_token='A2', refresh_token='R2', expires_in=60)`, "text"},
}

// Fault A4. By the shape of its members, not by a list of what may wrap them.
func TestARotationIsFoundInWhatIsNoJSON(t *testing.T) {
	for name, document := range documents {
		r := refresh
		r.URL = answering(t, 200, nil, document.body)
		if a := ask(t, Dialect{}, r); a.Outcome != Granted || a.AccessToken != "A2" || a.RefreshToken != "R2" || a.ExpiresIn != time.Minute {
			t.Errorf("%s: %+v", name, a)
		}
		// What repeats the request is none, and what is cut no whole one.
		r.URL = answering(t, 200, nil, strings.ReplaceAll(document.body, "R2", "the-refresh-token"))
		if a := ask(t, Dialect{}, r); a.RefreshToken != "" {
			t.Errorf("%s, which repeats the request: %+v", name, a)
		}
		for end := 0; end < len(document.body); end += 3 {
			part := replyOf(200, nil, io.MultiReader(strings.NewReader(document.body[:end]), iotest.ErrReader(io.ErrUnexpectedEOF)))
			a := newClient(t, Dialect{}).hold(part, now, valuesOf(&refresh))
			if a.RefreshToken != "" && a.RefreshToken != "R2" || a.AccessToken != "" && a.AccessToken != "A2" {
				t.Errorf("%s, cut: %+v", document.body[:end], a)
			}
		}
		r.URL = answering(t, 503, nil, document.body)
		if a := ask(t, Dialect{}, r); a.RefreshToken != "" || a.Outcome == Granted {
			t.Errorf("%s, 503: %+v", name, a)
		}
	}
}

// Words about tokens are none.
func TestWordsAboutTokensAreNoTokens(t *testing.T) {
	for _, body := range []string{
		"Usage:\naccess_token: required\nrefresh_token: optional\nexpires_in: seconds\n",
		"<dl><dt>access_token</dt><dd>the token</dd><dt>refresh_token</dt><dd>another one</dd></dl>",
		"<p>refresh_token: expired7</p>", "<error><refresh_token>invalid4</refresh_token></error>",
		"<r><access_token>a2...</access_token><refresh_token>r2...</refresh_token></r>",
		"<r><access_token>a2</access_token><refresh_token>***</refresh_token></r>",
		"access_token: string1\nrefresh_token: string1\n",
		"The access_token is 1 hour old, refresh_token is 2.",
	} {
		r := refresh
		r.URL = answering(t, 200, nil, body)
		if a := ask(t, Dialect{}, r); a.RefreshToken != "" || a.Outcome == Granted {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestABodyIsCalledWhatItLooksLike(t *testing.T) {
	without := strings.NewReplacer("access", "other", "Access", "Other", "refresh", "next", "Refresh", "Next")
	for name, document := range documents {
		a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, without.Replace(document.body))})
		if a.Outcome == Granted || document.looks != "an HTML page" && strings.Contains(a.Detail, "HTML") || !strings.Contains(a.Detail, document.looks) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for body, want := range map[string]string{
		"<!DOCTYPE html>\n<p>": "an HTML page", "<?xml version='1.0'?>\n<!DOCTYPE html><html/>": "an HTML page", "<br />\n<b>Warning</b>: x": "an HTML page",
		"eyJhbGciOiJub25lIn0.e30.": "access_token_path @body", "\x00\x01\x02": "binary data", "no": "text of another kind",
		"<html>\x1b[2J": "an HTML page",
	} {
		if a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)}); a.Outcome == Granted || !strings.Contains(a.Detail, want) {
			t.Errorf("%q: %+v", body, a)
		}
	}
	// What the server itself says in XML is no page of a gateway.
	a := ask(t, Dialect{}, Request{URL: answering(t, 403, nil, `<Error><Code>AccessDenied</Code></Error>`)})
	if a.Outcome != Misconfigured || !strings.Contains(a.Detail, "AccessDenied") {
		t.Errorf("%+v", a)
	}
}
