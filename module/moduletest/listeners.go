package moduletest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// FreeAddress returns a loopback address where nothing listens, and that the system gives to
// nobody who has no wish: it may be used later, and again.
func FreeAddress(t *testing.T) string {
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

// waitForOne waits until one server alone listens at an address, 5 s at most. Caddy lets go
// of the one before a reload in the background, and whom that accepts meanwhile is answered
// by the former configuration. Only Linux says who listens.
func waitForOne(address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return
	}
	for end := time.Now().Add(5 * time.Second); listeners(at.Port()) > 1 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// listeners counts the sockets that listen at a port of IPv4.
func listeners(port uint16) (n int) {
	text, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[3] == "0A" && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
			n++
		}
	}
	return n
}
