package tokenendpoint

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// now is the clock of the tests, which never advances by itself.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newClient(t testing.TB, d Dialect) *Client {
	t.Helper()
	c, err := newOver(d, asking.Connection{}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rawServer answers each connection by hand, so that tests decide about every
// byte and about when it is cut.
type rawServer struct {
	address string

	mu       sync.Mutex
	requests []string
}

// serveRaw serves connections one after another. handle gets the request as it
// came over the wire.
func serveRaw(t testing.TB, handle func(conn net.Conn, request string)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{address: listener.Addr().String()}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request := readRaw(conn)
			if request != "" {
				s.mu.Lock()
				s.requests = append(s.requests, request)
				s.mu.Unlock()
			}
			handle(conn, request)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		done.Wait()
	})
	return s
}

func readRaw(conn net.Conn) string {
	var raw strings.Builder
	req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
	if err == nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	return raw.String()
}

func (s *rawServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// answering serves the same answer to everybody, by the clock of the tests.
func answering(t testing.TB, status int, header http.Header, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now.Format(http.TimeFormat))
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func ask(t testing.TB, d Dialect, r Request) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return newClient(t, d).Do(ctx, r)
}

func httpAnswer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// replyOf is an answer with these bytes.
func replyOf(status int, header http.Header, body io.Reader) *reading.Reply {
	return reading.Read(&http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body)})
}

// newOver asks in a dialect over a connection.
func newOver(d Dialect, connection asking.Connection, now func() time.Time) (*Client, error) {
	dialect, err := Compile(d)
	if err != nil {
		return nil, err
	}
	return New(dialect, connection, now), nil
}

// serveKept serves connections that stay open: handle reads one request after the other.
func serveKept(t *testing.T, handle func(conn net.Conn, next func() (*http.Request, error))) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				handle(conn, func() (*http.Request, error) {
					req, err := http.ReadRequest(reader)
					if err == nil {
						_, err = io.Copy(io.Discard, req.Body)
					}
					return req, err
				})
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		done.Wait()
	})
	return listener.Addr().String()
}
