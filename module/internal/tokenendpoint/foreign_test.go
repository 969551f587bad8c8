package tokenendpoint

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode"
)

// hostile are characters that steer a terminal, or turn what is read around it.
const hostile = "\u009b31m\u202e\u2066\u200b"

// Fault A14.
func TestNoForeignWordSteersATerminal(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"a\x1b[2J\x07.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = nil
	strange.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	strange.StartTLS()
	defer strange.Close()

	answers := map[string]string{
		"certificate": strange.URL,
		"redirect":    answering(t, 302, http.Header{"Location": {"https://a" + hostile + ".example/x"}}, ""),
		"description": answering(t, 400, nil, `{"error":"invalid_request","error_description":"\u001b[2J`+hostile+`\u0000"}`),
		"code":        answering(t, 400, nil, `{"error":"\u001b[2J`+hostile+`"}`),
		"names":       answering(t, 200, nil, `{"\u001b[2J`+hostile+`":1}`),
		"token type":  answering(t, 200, nil, `{"access_token":"A2","token_type":"\u001b[2J`+hostile+`"}`),
		"HTML":        answering(t, 503, http.Header{"Content-Type": {"text/html"}}, "<h1>\x1b[2J"+hostile+"</h1>"),
		"lifetime":    answering(t, 200, nil, `{"access_token":"A2","expires_in":"\u001b[2J`+hostile+`"}`),
		"status line": speaking(t, "HTTP/1.1 \x1b[2J no\r\n\r\n"),
		"header":      speaking(t, "HTTP/1.1 200 OK\r\n\x1b[2J: x\r\n\r\n"),
		"no HTTP":     speaking(t, "\x1b[2J"+hostile+"\r\n"),
	}
	for name, url := range answers {
		a := ask(t, Dialect{}, Request{URL: url, ClientSecret: "a-client-secret"})
		printed := a.Cause + " " + a.Detail + " " + a.Unusable + " " + a.ExpiresDefaulted
		for _, r := range printed {
			if !unicode.IsPrint(r) {
				t.Errorf("%s: prints %q", name, printed)
				break
			}
		}
		if len(printed) < 10 {
			t.Errorf("%s: says nothing: %+v", name, a)
		}
	}
}

// speaking is a server that answers with the same bytes whatever it hears.
func speaking(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			fmt.Fprint(conn, answer)
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}
