package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Sidecar is a lamplighter that runs a Caddyfile, and is called at an address.
type Sidecar struct {
	*Process
	Address string
}

// Config is a Caddyfile with one client, erp, for an API.
func Config(t *testing.T, address, api, settings string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{
	grace_period 5s
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client erp {
%s
		}
	}
}
`, port, api, settings)
}

// Write writes the Caddyfile of a sidecar and other files below home.
func Write(t testing.TB, home, name, content string) string {
	t.Helper()
	path := filepath.Join(home, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// RunSidecar starts a sidecar with the file Caddyfile below home, and waits
// until it listens. env is added to its environment.
func RunSidecar(t *testing.T, home, address string, env ...string) *Sidecar {
	t.Helper()
	run := []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}
	s := &Sidecar{StartBinary(t, Binary, home, append(Environment(home), env...), run...), address}
	Eventually(t, "the sidecar listens", func() bool {
		if s.Ended() {
			t.Fatalf("the sidecar ended: %v", s.Err)
		}
		return Serves(address)
	})
	return s
}

// Listens reports whether somebody accepts connections at an address, and keeps them.
func Listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := conn.Read(make([]byte, 1))
	return n > 0 || errors.Is(err, os.ErrDeadlineExceeded)
}

// Serves reports whether a server of HTTP or HTTPS answers at an address: a process that
// only tries whether its ports are free drops connections, but not at once if the machine
// is busy. What is asked is no request, so that nobody sees or counts it.
func Serves(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(Patience))
	if _, err = conn.Write([]byte("GET / no request\r\n\r\n")); err != nil {
		return false
	}
	n, _ := conn.Read(make([]byte, 1))
	return n > 0
}

// FreeAddress returns a loopback address where nothing listens, and that the system gives to
// nobody who has no wish: it may be used later, and again.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// Answer is what a caller of the sidecar gets.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// Get makes the call of a legacy application: plain HTTP, no token.
func Get(t *testing.T, address, path string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{res.StatusCode, res.Header, string(body)}
}

// UnixClient makes HTTP requests over a unix socket.
func UnixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}
