package tokenendpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
)

var refresh = Request{ClientID: "app", ClientSecret: "the-client-secret", RefreshToken: "the-refresh-token"}

func refreshAt(address string) Request {
	r := refresh
	r.URL = "http://" + address + "/token"
	return r
}

func TestABrokenExchangeIsSortedByWhetherTheRequestWasSent(t *testing.T) {
	reset := func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n"
	for _, test := range []struct {
		name         string
		answer       string
		reset        bool
		outcome      Outcome
		refreshToken string
		accessToken  string
	}{
		{name: "closed at once", outcome: Unanswered},
		{name: "reset at once", reset: true, outcome: Unanswered},
		{name: "in the status line", answer: "HTTP/1.1 20", outcome: Unanswered},
		{name: "in the header", answer: "HTTP/1.1 200 OK\r\nContent-Type: appl", outcome: Unanswered},
		{name: "after the header", answer: head, outcome: Unanswered},
		{name: "in the access token", answer: head + `{"access_token":"A`, outcome: Unanswered},
		{name: "before the refresh token", answer: head + `{"access_token":"A2","refresh_token"`, outcome: Unanswered},
		{name: "in the refresh token", answer: head + `{"access_token":"A2","refresh_token":"R2`, outcome: Unanswered},
		{name: "with the refresh token alone", answer: head + `{"refresh_token":"R2","access_token":"A`, outcome: Unanswered, refreshToken: "R2"},
		{name: "after what counts", answer: head + `{"access_token":"A2","refresh_token":"R2","expi`, outcome: Granted, refreshToken: "R2", accessToken: "A2"},
		{name: "no HTTP", answer: `{"access_token":"A2-secret","refresh_token":"R2-secret"}`, outcome: Unanswered},
		{name: "broken chunks", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{\"refresh_token\":\"R2\"\r\nzz\r\n", outcome: Unanswered, refreshToken: "R2"},
		{name: "a cut refusal", answer: "HTTP/1.1 401 Unauthorized\r\nContent-Length: 70\r\n\r\n{\"error\":\"invalid_req", outcome: Unavailable},
		{name: "no length and no end", answer: "HTTP/1.1 200 OK\r\n\r\n" + `{"refresh_token":"R2","access_token":"A2"`, outcome: Granted, refreshToken: "R2", accessToken: "A2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := serveRaw(t, func(conn net.Conn, _ string) {
				_, _ = io.WriteString(conn, test.answer)
				if test.reset {
					reset(conn)
				}
			})
			a := ask(t, eiam, refreshAt(server.address))
			if a.Outcome != test.outcome || a.RefreshToken != test.refreshToken || a.AccessToken != test.accessToken {
				t.Errorf("answer: %+v", a)
			}
			if n := len(server.seen()); n != 1 {
				t.Errorf("asked %d times", n)
			}
			if !a.SentAt.Equal(now) {
				t.Errorf("sent at %v", a.SentAt)
			}
			if strings.Contains(a.Detail, "secret") || strings.Contains(a.Detail, "R2") || a.Outcome != Granted && a.Detail == "" {
				t.Errorf("detail: %s", a.Detail)
			}
		})
	}
}

func TestWhatCannotBeReachedIsNotSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	listener.Close()
	plain := answering(t, 200, nil, eiamAnswer)
	for name, test := range map[string]struct{ endpoint, cause string }{
		"nobody listens":  {"http://" + free + "/token?key=the-query-secret", "connection_refused"},
		"no such host":    {"http://nobody.invalid/token?key=the-query-secret", "host_not_found"},
		"no TLS":          {strings.Replace(plain, "http:", "https:", 1) + "?key=the-query-secret", "not_tls"},
		"no such network": {"http://127.0.0.1:0/", "connection_refused"},
	} {
		r := refresh
		r.URL = test.endpoint
		a := ask(t, eiam, r)
		if a.Outcome != NotSent || a.Cause != test.cause && (test.cause != "host_not_found" || a.Cause != "dns_failed") || !a.SentAt.IsZero() || strings.Contains(a.Detail, "secret") || strings.Contains(a.Detail, "refresh") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnUnknownCertificateIsNotSentTo(t *testing.T) {
	var asked atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	r := refresh
	r.URL = server.URL
	if a := ask(t, eiam, r); a.Outcome != NotSent || !strings.Contains(a.Detail, "certificate") || asked.Load() {
		t.Errorf("answer: %+v, asked: %v", a, asked.Load())
	}
}

func TestBeforeSendIsCalledWhenTheConnectionIsUpAndBeforeAByteIsWritten(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("asked over %s", r.Proto)
		}
		_, _ = io.WriteString(w, eiamAnswer)
	})
	for name, start := range map[string]func() *httptest.Server{
		"http": func() *httptest.Server { return httptest.NewServer(handler) },
		"https": func() *httptest.Server {
			s := httptest.NewUnstartedServer(handler)
			s.EnableHTTP2 = true
			s.StartTLS()
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := start()
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			t.Cleanup(server.Close)
			var conn *countingConn
			c, err := newOver(eiam, asking.Connection{
				TLS: &tls.Config{InsecureSkipVerify: true},
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					inner, err := (&net.Dialer{}).DialContext(ctx, network, address)
					conn = &countingConn{Conn: inner}
					return conn, err
				},
			}, func() time.Time { return now })
			if err != nil {
				t.Fatal(err)
			}
			var calls, writtenThen int
			r := refresh
			r.URL = server.URL
			r.BeforeSend = func() error {
				calls++
				writtenThen = int(conn.writes.Load())
				return nil
			}
			if a := c.Do(t.Context(), r); a.Outcome != Granted {
				t.Fatalf("answer: %+v", a)
			}
			if calls != 1 {
				t.Errorf("BeforeSend was called %d times", calls)
			}
			if after := int(conn.writes.Load()); after <= writtenThen {
				t.Errorf("nothing was written after BeforeSend: %d, then %d", writtenThen, after)
			}

			r.BeforeSend = func() error {
				writtenThen = int(conn.writes.Load())
				return errors.New("the lease is gone")
			}
			a := c.Do(t.Context(), r)
			if a.Outcome != NotSent || a.Cause != CauseCanceled || !strings.Contains(a.Detail, "the lease is gone") || !a.SentAt.IsZero() {
				t.Errorf("answer: %+v", a)
			}
			if name == "http" && conn.writes.Load() != 0 {
				t.Errorf("%d writes though BeforeSend refused", conn.writes.Load())
			}
		})
	}
}

type countingConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestNothingIsWrittenAfterDoHasReturned(t *testing.T) {
	server := serveRaw(t, func(net.Conn, string) {})
	ctx, cancel := context.WithCancel(t.Context())
	r := refreshAt(server.address)
	running := false
	r.BeforeSend = func() error {
		running = true
		cancel()
		time.Sleep(20 * time.Millisecond) // longer than net/http needs to notice
		running = false
		return nil
	}
	a := newClient(t, eiam).Do(ctx, r)
	if running {
		t.Error("Do returned while BeforeSend was running")
	}
	switch a.Outcome {
	case NotSent:
		time.Sleep(20 * time.Millisecond)
		if seen := server.seen(); len(seen) != 0 {
			t.Errorf("not sent, and yet seen: %q", seen)
		}
	case Unanswered: // it was written before it could be stopped, and says so
	default:
		t.Errorf("answer: %+v", a)
	}
}

func TestACallThatEndsWhileDialingIsNotSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := newOver(eiam, asking.Connection{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Do(ctx, refreshAt("127.0.0.1:1")); a.Outcome != NotSent || a.Cause != CauseCanceled {
		t.Errorf("answer: %+v", a)
	}
}

func TestAnAnswerThatDripsEndsAtTheDeadline(t *testing.T) {
	for name, start := range map[string]string{
		"in the header": "HTTP/1.1 200 OK\r\nX: ",
		"in the body":   "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + `{"refresh_token":"R2","x":"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveRaw(t, func(conn net.Conn, _ string) {
				_, err := io.WriteString(conn, start)
				for i := 0; err == nil && i < 10_000; i++ {
					_, err = io.WriteString(conn, "x")
					time.Sleep(5 * time.Millisecond)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			a := newClient(t, eiam).Do(ctx, refreshAt(server.address))
			if a.Outcome != Unanswered || !strings.Contains(a.Detail, "the timeout is over") {
				t.Errorf("answer: %+v", a)
			}
			if name == "in the body" && a.RefreshToken != "R2" {
				t.Errorf("the refresh token that had arrived is lost: %+v", a)
			}
		})
	}
}

func TestARedirectIsNeverFollowed(t *testing.T) {
	var followed atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	t.Cleanup(target.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		r := refresh
		r.URL = answering(t, status, http.Header{"Location": {target.URL + "/?refresh_token=the-refresh-token"}}, "")
		a := ask(t, eiam, r)
		if a.Outcome != Unavailable || a.Cause != CauseRedirect || !strings.Contains(a.Detail, target.URL) || strings.Contains(a.Detail, "the-refresh") {
			t.Errorf("%d: %+v", status, a)
		}
	}
	if followed.Load() != 0 {
		t.Errorf("followed %d times", followed.Load())
	}
}

func TestConnectionsAreNotReused(t *testing.T) {
	addresses := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		_, _ = io.WriteString(w, eiamAnswer)
	}))
	t.Cleanup(server.Close)
	c := newClient(t, eiam)
	r := refresh
	r.URL = server.URL
	for range 3 {
		if a := c.Do(t.Context(), r); a.Outcome != Granted {
			t.Fatalf("answer: %+v", a)
		}
	}
	if len(addresses) != 3 {
		t.Errorf("3 requests over %d connections", len(addresses))
	}
}

func TestAForwardProxyIsUsedAndItsPasswordNotPrinted(t *testing.T) {
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Host)
		_, _ = io.WriteString(w, eiamAnswer)
	}))
	proxyURL := strings.Replace(proxy.URL, "http://", "http://user:proxy-password@", 1)
	use := func(*http.Request) (*url.URL, error) { return url.Parse(proxyURL) }
	c, err := newOver(eiam, asking.Connection{Proxy: use}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Do(t.Context(), refreshAt("eiam.example")); a.Outcome != Granted || asked.Load() != "eiam.example" {
		t.Errorf("answer: %+v, the proxy was asked for %v", a, asked.Load())
	}
	proxy.Close()
	if a := c.Do(t.Context(), refreshAt("eiam.example")); a.Outcome != NotSent || strings.Contains(a.Detail, "proxy-password") {
		t.Errorf("answer: %+v", a)
	}
}

func TestASilentServerCostsNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() { // until the client closes it; no TLS ever comes
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		a := newClient(t, Dialect{}).Do(ctx, Request{URL: "https://" + listener.Addr().String()})
		cancel()
		if a.Outcome != NotSent || !strings.Contains(a.Detail, "timeout") {
			t.Fatalf("%+v", a)
		}
	}
	_ = listener.Close()
	closed := make(chan struct{})
	go func() { served.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Error("connections are open for as long as the server likes")
	}
}

func TestNothingIsWrittenWhenTheTimeIsOver(t *testing.T) {
	server := serveRaw(t, func(net.Conn, string) {})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r := refreshAt(server.address)
		r.BeforeSend = func() error {
			<-ctx.Done()
			return nil
		}
		a := newClient(t, Dialect{}).Do(ctx, r)
		cancel()
		if a.Outcome != NotSent {
			t.Fatalf("%+v", a)
		}
	}
	if n := len(server.seen()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
