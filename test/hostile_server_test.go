package test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// steering are characters that steer a terminal, or turn what is read around it.
const steering = "\x1b[2J\x07\u009b31m\u202e\u2066\u200b\u2028"

// hostileSecret is what a hostile server was sent, and says in every way.
const hostileSecret = "Qx7Zk9Wv+4Jm/2Tr= &%é8Hb3Nd6"

// foreign are the texts that a hostile server says, by the way in which each is one.
func foreign() map[string]string {
	pair := url.QueryEscape("erp") + ":" + url.QueryEscape(hostileSecret)
	quoted, _ := json.Marshal(hostileSecret)
	var escaped, byCode strings.Builder
	for _, unit := range utf16.Encode([]rune(hostileSecret)) {
		fmt.Fprintf(&escaped, `\u%04x`, unit)
	}
	for _, r := range hostileSecret {
		fmt.Fprintf(&byCode, "&#%d;", r)
	}
	return map[string]string{
		"steering": "oh " + steering + " dear", "lines": "oh\r\nlevel=error msg=forged\n\n{\"level\":\"error\"}", "long": strings.Repeat("long ", 200<<10),
		"plain": "no " + hostileSecret, "part": "no " + hostileSecret[3:len(hostileSecret)-2], "query": url.QueryEscape(hostileSecret),
		"path": url.PathEscape(hostileSecret), "twice": url.QueryEscape(url.QueryEscape(hostileSecret)), "html": html.EscapeString(hostileSecret),
		"codes": byCode.String(), "json": string(quoted), "escapes": escaped.String(), "hex": hex.EncodeToString([]byte(hostileSecret)),
		"base64": base64.StdEncoding.EncodeToString([]byte("x" + hostileSecret)), "basic": "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(hostileSecret)), "case": strings.ToUpper(hostileSecret),
		"both": base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(hostileSecret))), "torn": hostileSecret[:14] + "\x1b[m" + hostileSecret[14:],
	}
}

// places are where a hostile server says something, as answers to token requests.
var places = map[string]func(say string) string{
	"description": func(s string) string {
		return jsonAnswer(400, map[string]any{"error": "invalid_request", "error_description": s})
	},
	"message": func(s string) string { return jsonAnswer(503, map[string]any{"error": "x", "message": s}) },
	"code":    func(s string) string { return jsonAnswer(400, map[string]any{"error": s}) },
	"dead": func(s string) string {
		return jsonAnswer(400, map[string]any{"error": "invalid_grant", "error_description": s})
	},
	"uri": func(s string) string {
		return jsonAnswer(401, map[string]any{"error": "invalid_client", "error_uri": s})
	},
	"challenge": func(s string) string { return answerWith(401, "WWW-Authenticate: Basic realm=\""+s+"\"", "") },
	"redirect":  func(s string) string { return answerWith(302, "Location: https://"+s+".example/"+s, "") },
	"page":      func(s string) string { return answerWith(200, "Content-Type: text/html", "<html>"+s+"</html>") },
	"text":      func(s string) string { return answerWith(403, "Content-Type: text/plain", s) },
	"document":  func(s string) string { return answerWith(200, "Content-Type: text/xml", "<a>"+s+"</a>") },
	"members": func(s string) string {
		return jsonAnswer(200, map[string]any{s: map[string]any{s: 1, "accessToken": s}})
	},
	"type": func(s string) string {
		return jsonAnswer(200, map[string]any{"access_token": "A-1", "token_type": s, "expires_in": 3600})
	},
	"scope": func(s string) string {
		return jsonAnswer(200, map[string]any{"access_token": "A-1", "scope": s, "expires_in": 3600})
	},
	"lifetime": func(s string) string { return jsonAnswer(200, map[string]any{"access_token": "A-1", "expires_in": s}) },
	"pause":    func(s string) string { return answerWith(429, "Retry-After: "+s, "") },
	"name":     func(s string) string { return answerWith(500, s+": x", "") },
	"kind":     func(s string) string { return answerWith(400, "Content-Type: "+s, "{") },
	"coding":   func(s string) string { return answerWith(200, "Content-Encoding: br, "+s, "\x00\x01\x02") },
	"date":     func(s string) string { return answerWith(400, "Date: "+s, "{}") },
	"phrase":   func(s string) string { return "HTTP/1.1 418 " + s + "\r\nConnection: close\r\n\r\n" },
	"version":  func(s string) string { return s + " 200 OK\r\n\r\n" },
	"length":   func(s string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + s + "\r\n\r\n{}" },
	"transfer": func(s string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + s + "\r\n\r\n{}" },
}

func jsonAnswer(status int, members map[string]any) string {
	body, _ := json.Marshal(members)
	return answerWith(status, "Content-Type: application/json", string(body))
}

func answerWith(status int, header, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\n%s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
}

// hostileServer is an authorization server all of whose words are foreign. A request
// to /<place>/<way> is answered there in that way; its log-ins, revocations and metadata
// are at paths of their own.
type hostileServer struct {
	url, tls, authority string // authority is the certificate of tls, in PEM
}

func startHostile(t *testing.T) *hostileServer {
	t.Helper()
	h := new(hostileServer)
	texts := foreign()
	h.url = "http://" + h.listen(t, nil, texts)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: "cn " + steering + hostileSecret, Organization: []string{steering}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: name, Issuer: name, DNSNames: []string{"a" + "\x1b[2J\x07" + ".example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	h.authority = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	h.tls = "https://" + h.listen(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, texts)
	return h
}

func (h *hostileServer) listen(t *testing.T, config *tls.Config, texts map[string]string) string {
	t.Helper()
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
			if config != nil {
				conn = tls.Server(conn, config)
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(conn, h.answer(r, texts))
			}()
		}
	}()
	return l.Addr().String()
}

func (h *hostileServer) answer(r *http.Request, texts map[string]string) string {
	at := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	way := texts[at[len(at)-1]]
	grant := map[string]any{"access_token": "A-1", "refresh_token": "R-1", "expires_in": 3600}
	device := map[string]any{"device_code": "D-1", "user_code": "ABCD", "verification_uri": "https://as.example/", "interval": 1}
	switch {
	case at[0] == ".well-known" || strings.Contains(r.URL.Path, ".well-known"):
		return h.metadata(r.URL.Path, texts)
	case at[0] == "authorize":
		back, _ := url.Parse(r.URL.Query().Get("redirect_uri"))
		back.RawQuery = url.Values{"error": {way}, "error_description": {way}, "error_uri": {way}, "state": {r.URL.Query().Get("state")}}.Encode()
		return answerWith(302, "Location: "+back.String(), "")
	case at[0] == "revoke":
		return jsonAnswer(400, map[string]any{"error": "unsupported_token_type", "error_description": way})
	case at[0] == "revoke-code":
		return jsonAnswer(400, map[string]any{"error": way})
	case at[0] == "device-code":
		return jsonAnswer(200, with(device, "user_code", way))
	case at[0] == "device-uri":
		return jsonAnswer(200, with(device, "verification_uri", "https://as.example/"+way))
	case at[0] == "device-error":
		return jsonAnswer(400, map[string]any{"error": "invalid_request", "error_description": way})
	case at[0] == "device-poll":
		return jsonAnswer(200, device)
	case places[at[0]] != nil:
		return places[at[0]](way)
	}
	return jsonAnswer(200, grant)
}

func with(m map[string]any, name string, value any) map[string]any {
	m = maps.Clone(m)
	m[name] = value
	return m
}

// metadata is found below /meta-<place>/<way>.
func (h *hostileServer) metadata(path string, texts map[string]string) string {
	_, at, _ := strings.Cut(path, "/meta-")
	at = strings.TrimSuffix(at, "/.well-known/openid-configuration")
	place, way, _ := strings.Cut(at, "/")
	issuer := h.url + "/meta-" + at
	document := map[string]any{"issuer": issuer, "token_endpoint": h.url + "/grant"}
	switch place {
	case "issuer", "token_endpoint", "revocation_endpoint", "authorization_endpoint", "device_authorization_endpoint":
		return jsonAnswer(200, with(document, place, "https://"+texts[way]))
	case "redirect":
		return answerWith(301, "Location: https://"+texts[way]+".example/", "")
	}
	return jsonAnswer(200, map[string]any{"issuer": texts[way], texts[way]: 1})
}
