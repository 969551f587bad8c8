package tokenendpoint

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Faults A1, A2. A bug of ours anywhere in a token request ends that request, and
// costs no token that has arrived.
func TestAPanicInATokenRequestEndsThereAndPrintsNothing(t *testing.T) {
	url := answering(t, 200, http.Header{"Retry-After": {"Mon, 23 Nov 2026 12:00:00 GMT"}}, `{"access_token":"A2","refresh_token":"R2"}`)
	for name, test := range map[string]struct {
		at         int // the n-th look at the clock
		beforeSend func() error
		outcome    Outcome
	}{
		"before it is sent":     {beforeSend: func() error { panic("the-client-secret") }, outcome: NotSent},
		"in signing":            {at: 1, outcome: Misconfigured},
		"in reading the answer": {at: 2, outcome: Unanswered},
		"in nothing of that":    {at: -1, outcome: Granted},
	} {
		r := refresh
		r.URL, r.BeforeSend = url, test.beforeSend
		looks := 0
		c := newClient(t, Dialect{})
		c.now = func() time.Time {
			if looks++; looks == test.at {
				panic("the-client-secret")
			}
			return now
		}
		if name == "in signing" {
			c.dialect.AuthMethod = "client_secret_jwt"
			r.ClientSecret = strings.Repeat("the-client-secret", 4)
		}
		a := c.Do(t.Context(), r)
		if a.Outcome != test.outcome || strings.Contains(a.Detail, "the-client-secret") || a.Outcome != Granted && (a.Cause == "" || a.Detail == "") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// Fault A15. Nothing is sent where TLS tells, and nobody waits for the timeout without.
func TestAServerThatSpeaksHTTP2AloneIsToldSo(t *testing.T) {
	const settings = "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\x00\x04\x40\x00\x00\x00\x00\x02\x00\x00\x00\x00"
	plain := serveRaw(t, func(conn net.Conn, _ string) {
		_, _ = io.WriteString(conn, settings)
		_, _ = io.Copy(io.Discard, conn) // for more
	})
	if a := ask(t, Dialect{}, refreshAt(plain.address)); a.Outcome != Unanswered || a.Cause != "http2_only" || a.Passes {
		t.Errorf("without TLS: %+v", a)
	}

	// Go's servers of HTTP/2 let HTTP/1.1 pass the handshake, others do not.
	for protocol, outcome := range map[string]Outcome{"h2": Unanswered, "other": NotSent} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificateOf(t), NextProtos: []string{protocol}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				_, _ = conn.Read(make([]byte, 1)) // else it may come before the request does
				_, _ = io.WriteString(conn, settings)
				conn.Close()
			}
		}()
		c := newClient(t, Dialect{})
		c.connection.TLS = &tls.Config{InsecureSkipVerify: true}
		r := refresh
		r.URL = "https://" + listener.Addr().String()
		if a := c.Do(t.Context(), r); a.Outcome != outcome || a.Cause != "http2_only" || a.Passes {
			t.Errorf("%s over TLS: %+v", protocol, a)
		}
	}
}

func certificateOf(t *testing.T) []tls.Certificate {
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	return server.TLS.Certificates
}

// Fault A4. A dead grant is one too where a runtime writes a warning before it.
func TestAnErrorIsReadInWhateverARuntimeWritesAroundIt(t *testing.T) {
	const dead, other = `{"error":"invalid_grant","error_description":"expired"}`, `{"error":"invalid_client"}`
	for body, want := range map[string]Outcome{
		"<br />\n<b>Warning</b>: x in <b>/srv/a.php</b> on line <b>7</b><br />\n" + dead:  Refused,
		"<br />\n<b>Warning</b>: x in <b>/srv/a.php</b> on line <b>7</b><br />\n" + other: Misconfigured,
		")]}'\n" + dead: Refused,
		`{"level":"debug","msg":"token"}` + "\n" + dead:                                     Refused,
		"Notice: " + dead[:len(dead)-1]:                                                     Misconfigured, // cut
		"<!DOCTYPE html><html><script>x = " + dead + "</script>":                            Unavailable,
		"<html><body>" + dead + "</body></html>":                                            Unavailable,
		"Notice: undefined index error in {main}\n":                                         Misconfigured,
		`Notice {"error":"server_error"}`:                                                   Unavailable,
		`{"request":{"error":"invalid_grant"},"message":"said before"} trailing {brackets}`: Unavailable,
	} {
		if a := ask(t, Dialect{}, Request{URL: answering(t, 400, nil, body)}); a.Outcome != want {
			t.Errorf("%s: %+v", body, a)
		}
	}
	if a := ask(t, Dialect{}, Request{URL: answering(t, 500, nil, "Warning "+dead)}); a.Outcome != Unavailable {
		t.Errorf("of a gateway: %+v", a)
	}
}

func TestATokenKeepsItsBytes(t *testing.T) {
	for body, want := range map[string]string{
		"{\"access_token\":\"A2\",\"refresh_token\":\"R2\\/\xff\\n\xe4\"}":                                        "R2/\xff\n\xe4",
		"access_token=A2&refresh_token=R2;x=1,y&expires_in=60":                                                    "R2;x=1,y",
		`<script>s = "{\u0022access_token\u0022:\u0022A2\u0022,\u0022refresh_token\u0022:\u0022R2-\u00e4\u0022}"`: "R2-ä",
	} {
		if a := ask(t, Dialect{}, Request{URL: answering(t, 200, nil, body)}); a.RefreshToken != want || a.Outcome != Granted {
			t.Errorf("%q: %+v", body, a)
		}
	}
}

// What stands within a cut object that has an access token is not the answer's own,
// whether or not it repeats the request to the letter.
func TestAnObjectWithinACutAnswerIsNotTheAnswer(t *testing.T) {
	a := ask(t, Dialect{}, cut(t, `{"request":{"refresh_token":"R1"},"access_token":"A2","expires_in":60,"refresh_tok`))
	if a.Outcome != Unanswered || a.RefreshToken != "" {
		t.Errorf("%+v", a)
	}
}
