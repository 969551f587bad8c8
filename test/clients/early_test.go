package clients

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestUpstreamThatAnswers401BeforeTheBodyIsThere sends bodies slowly to upstreams
// that refuse a token when they have seen no more than the header, and then read
// the rest, or close the connection, with notice or without.
func TestUpstreamThatAnswers401BeforeTheBodyIsThere(t *testing.T) {
	t.Parallel()
	var sites []*site
	servers := make(map[*site]*hasty)
	for _, manner := range []string{"reads on", "says that it closes", "closes"} {
		is := newIssuer(t, false)
		server := startHasty(t, is, manner)
		s := &site{name: manner, upstream: "http://" + server.address, issuer: is, overlap: "until_expiry"}
		servers[s] = server
		sites = append(sites, s)
	}
	runSites(t, sites...)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, length := range []int{2, 1000, 20_000, 60_000} {
				body := strings.Repeat("x", length)
				ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
				defer cancel()
				read, write := io.Pipe()
				go func() {
					_, _ = io.WriteString(write, body[:length/2])
					<-servers[s].refused
					_, _ = io.WriteString(write, body[length/2:])
					_ = write.Close()
				}()
				req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.URL(fmt.Sprintf("/%d", length)), read)
				if err != nil {
					t.Fatal(err)
				}
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if s.name == "closes" && res.StatusCode == http.StatusBadGateway {
					// net/http may have seen the connection's end before the answer.
					continue
				}
				if err != nil || res.StatusCode != http.StatusOK || string(answer) != digestOf(body) {
					t.Errorf("%d bytes: %d %.300q %v", length, res.StatusCode, answer, err)
				}
			}
		})
	}
}

// hasty is an upstream that refuses the first request for each path, when its token
// has been replaced and before its body is there.
type hasty struct {
	*issuer
	address string
	manner  string
	refused chan struct{} // a refusal was sent
	seen    sync.Map
}

func startHasty(t *testing.T, is *issuer, manner string) *hasty {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	h := &hasty{issuer: is, address: listener.Addr().String(), manner: manner, refused: make(chan struct{}, 10)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go h.serve(conn)
		}
	}()
	return h
}

func (h *hasty) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, seen := h.seen.LoadOrStore(req.URL.Path, true); !seen {
			h.outlived(context.Background(), req.Header.Get("Authorization"))
		}
		if !h.accepts(req.Header.Values("Authorization")...) {
			connection := ""
			if h.manner == "says that it closes" {
				connection = "Connection: close\r\n"
			}
			fmt.Fprint(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n"+connection+"Content-Length: 5\r\n\r\nstale")
			h.refused <- struct{}{}
			switch h.manner {
			case "reads on":
				if _, err := io.Copy(io.Discard, req.Body); err != nil {
					return
				}
				continue
			case "says that it closes": // and does so when the other side is done
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			}
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		answer := digestOf(string(body))
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	}
}
