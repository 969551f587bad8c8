package clients

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"lamplighter/test/internal/rig"
)

// TestWebSocketsOutliveTheirTokens keeps connections of a WebSocket library open
// while the token with which they were opened is replaced several times, and opens
// new ones meanwhile.
func TestWebSocketsOutliveTheirTokens(t *testing.T) {
	t.Parallel()
	var sites []*site
	for _, overlap := range []string{"none", "until_expiry"} {
		for _, k := range []kind{kinds[0], {"https", startTLS}} {
			is := newIssuer(t, false)
			upstream, block := k.start(t, is.protect(http.HandlerFunc(echo)))
			sites = append(sites, &site{name: k.name + ", overlap " + overlap, upstream: upstream, block: block, issuer: is, overlap: overlap})
		}
	}
	runSites(t, sites...)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			defer cancel()
			old := openEcho(ctx, t, s)
			done, messages, opened := rotated(s), 0, 1
			for !done() {
				wantEcho(ctx, t, old, fmt.Sprintf("message %d", messages))
				fresh := openEcho(ctx, t, s)
				wantEcho(ctx, t, fresh, strings.Repeat("long ", 10_000))
				if err := fresh.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Fatal(err)
				}
				messages++
				opened++
			}
			if err := old.Close(websocket.StatusNormalClosure, "done"); err != nil {
				t.Error(err)
			}
			t.Logf("%d messages over one connection, %d opened\n%s", messages, opened, rejections(s))
		})
	}
}

// echo sends every message back.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func openEcho(ctx context.Context, t *testing.T, s *site) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(ctx, "ws://"+s.address+"/", &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	return conn
}

func wantEcho(ctx context.Context, t *testing.T, conn *websocket.Conn, message string) {
	t.Helper()
	if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, got, err := conn.Read(ctx)
	if err != nil || string(got) != message {
		t.Fatalf("sent %.40q, got %.40q %v", message, got, err)
	}
}
