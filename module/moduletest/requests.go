package moduletest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Do sends a request, and returns its answer.
func (s *Sidecar) Do(method, path, body string, header ...string) (*http.Response, string) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.Address+path, strings.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	for range 5 {
		// At a reload Caddy resets connections that nobody has accepted yet.
		reset := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
		if err == nil || method != http.MethodGet && !reset {
			break
		}
		again := req.Clone(ctx)
		again.Body = io.NopCloser(strings.NewReader(body)) // some of it may be read
		res, err = (&http.Transport{DisableKeepAlives: true}).RoundTrip(again)
	}
	if err != nil {
		s.T.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return res, string(got)
}

// AsUser sends a request with a user's token until it is answered: at a reload Caddy
// resets connections that nobody has accepted yet.
func (s *Sidecar) AsUser(t *testing.T, user string) string {
	for t.Context().Err() == nil {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address, nil)
		if err != nil {
			return err.Error()
		}
		req.Header.Set("Authorization", "Bearer "+user)
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err == nil {
			return fmt.Sprintf("%d %s", res.StatusCode, body)
		}
	}
	return "nothing"
}

// Raw sends the bytes of a request and returns the answer.
func (s *Sidecar) Raw(request string) (*http.Response, string) {
	s.T.Helper()
	var err error
	for range 5 {
		// At a reload Caddy drops connections that nobody has accepted yet.
		var res *http.Response
		var body []byte
		if res, body, err = s.rawOnce(request); err == nil {
			return res, string(body)
		}
	}
	s.T.Fatalf("%q: %v", request, err)
	return nil, ""
}

func (s *Sidecar) rawOnce(request string) (*http.Response, []byte, error) {
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		return nil, nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// Rough is raw for answers that may be broken: it returns what came.
func (s *Sidecar) Rough(request string) string {
	s.T.Helper()
	var err error
	for range 5 {
		// At a reload Caddy drops connections that nobody has accepted yet.
		var conn net.Conn
		if conn, err = net.Dial("tcp", s.Address); err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n"))
		answer, _ := io.ReadAll(conn)
		_ = conn.Close()
		if len(answer) > 0 {
			return string(answer)
		}
	}
	if err != nil {
		s.T.Fatal(err)
	}
	return ""
}

// Handshake sends a request that offers an upgrade, and returns its answer.
func (s *Sidecar) Handshake(method, upgrade, body string) *http.Response {
	s.T.Helper()
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "%s /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n%s", method, upgrade, len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.T.Fatal(err)
	}
	return res
}

// SendInTwo sends a chunked request whose second half follows when between is
// done, and returns the answer.
func (s *Sidecar) SendInTwo(method, first string, between func(), second string) (*http.Response, string) {
	s.T.Helper()
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		s.T.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "%s /orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", method, len(first), first)
	between()
	fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", len(second), second)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.T.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return res, string(body)
}

// Upgrade opens a WebSocket, and returns how to see that it is open. That closes it.
func (s *Sidecar) Upgrade() (check func(text string)) {
	s.T.Helper()
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		s.T.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		s.T.Fatal(res, err)
	}
	return func(text string) {
		s.T.Helper()
		defer conn.Close()
		got := make([]byte, len(text))
		if _, err := io.WriteString(conn, text); err != nil {
			s.T.Fatal(err)
		}
		if _, err := io.ReadFull(r, got); err != nil || string(got) != text {
			s.T.Errorf("the WebSocket says %q, %v", got, err)
		}
	}
}
