package proxy_test

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/internal/redact"
	"lamplighter/module/moduletest"
)

// interspersed puts a character behind every seventh, so that no eight of the word stand together.
func interspersed(word, between string) string {
	var b strings.Builder
	for len(word) > 7 {
		b.WriteString(word[:7] + between)
		word = word[7:]
	}
	return b.String() + word
}

// Fault A1.
func TestAnUpstreamThatRepeatsTheTokenInItsChallengeTellsNobody(t *testing.T) {
	for name, repeat := range map[string]func(scheme, token string) string{
		"quoted":        func(scheme, token string) string { return scheme + ` error="` + token + `"` },
		"DPoP":          func(_, token string) string { return `DPoP error="` + token + `"` },
		"within a word": func(scheme, token string) string { return scheme + ` error="x` + token + `x"` },
		"percent":       func(scheme, token string) string { return scheme + ` error="` + url.QueryEscape(token) + `"` },
		"with what is taken out of words": func(scheme, token string) string {
			return scheme + ` error="` + interspersed(token, "{") + `"`
		},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Handler = func(w http.ResponseWriter, r *http.Request) {
				scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
				w.Header().Set("WWW-Authenticate", repeat(scheme, token))
				w.WriteHeader(http.StatusUnauthorized)
			}
			s := moduletest.NewSidecar(t, as)
			s.Load(strings.Replace(s.Config("", ""), "\tdebug\n", "", 1)) // which logs every header of answers
			if res, _ := s.Do("POST", "/", "hello"); res.StatusCode != http.StatusUnauthorized {
				t.Fatal(res.Status)
			}
			log, err := os.ReadFile(s.Log)
			if err != nil || !strings.Contains(string(log), "token_rejected") {
				t.Fatalf("%v %s", err, log)
			}
			as.Lock()
			defer as.Unlock()
			for _, secret := range as.Everything {
				for _, spelled := range []string{secret, secret[3:14]} {
					if strings.Contains(string(log), spelled) {
						t.Errorf("the log has %q", spelled)
					}
				}
			}
		})
	}
}

// lines is a log that a test reads while it is written.
type lines struct {
	sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.Lock()
	defer l.Unlock()
	return l.text.String()
}

// Fault B6. Caddy logs the errors of round trips and of bodies, and net/http has a log of its own.
func TestAnUpstreamThatSendsTheTokenInPlaceOfAnAnswerTellsNobody(t *testing.T) {
	const begin = "HTTP/1.1 200 OK\r\n"
	answers := map[string]string{
		"/line": "%s\r\n\r\n", "/version": "%s 200 OK\r\n\r\n", "/status": "HTTP/1.1 %s OK\r\n\r\n", "/header": begin + "%s\r\n\r\n",
		"/length": begin + "Content-Length: %s\r\n\r\n", "/encoding": begin + "Transfer-Encoding: %s\r\n\r\n",
		"/chunk":   begin + "Transfer-Encoding: chunked\r\n\r\n%s\r\n\r\n",
		"/trailer": begin + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n%s\r\n\r\n",
		"/upgrade": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n",
	}
	const idle = begin + "Content-Length: 2\r\n\r\nok"
	as := moduletest.NewRotating(t)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if r.URL.Path != "/idle" {
			fmt.Fprintf(conn, answers[r.URL.Path], token)
			return
		}
		fmt.Fprint(conn, idle)
		time.Sleep(300 * time.Millisecond) // a connection is idle when its body was read
		fmt.Fprintf(conn, "%s\r\n\r\n", token)
		time.Sleep(100 * time.Millisecond)
	}
	before, std := log.Writer(), new(lines)
	log.SetOutput(std)
	defer log.SetOutput(before)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("", ""))
	for path := range answers {
		s.Rough("GET " + path + " HTTP/1.1\nHost: x\nConnection: close\n\n")
	}
	s.Rough("GET /upgrade HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n")
	s.Do("GET", "/idle", "")
	moduletest.Eventually(t, "what net/http says", func() bool { return strings.Contains(std.String(), "Unsolicited response") })
	text, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "the answer cannot be read: "+redact.Withheld); n < 4 {
		t.Errorf("only %d errors say that something was withheld", n)
	}
	as.Lock()
	defer as.Unlock()
	for _, secret := range as.Everything {
		for name, shown := range map[string]string{"the log": string(text), "the log of net/http": std.String()} {
			if i := strings.Index(shown, secret); i >= 0 {
				t.Errorf("%s has %s", name, shown[max(0, i-200):i+len(secret)])
			}
		}
	}
}
