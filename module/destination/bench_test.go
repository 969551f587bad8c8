package destination

import (
	"net/http/httptest"
	"testing"
)

func BenchmarkDestination(b *testing.B) {
	d := &Destinations{known: map[destination]struct{}{{"http", "tcp", "127.0.0.1:9000"}: {}}}
	req := httptest.NewRequest("GET", "http://127.0.0.1:9000/orders", nil)
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := d.Allows(req, false); !ok {
			b.Fatal("not allowed")
		}
	}
}
