package filestore

import (
	"fmt"
	"testing"

	"lamplighter/module/internal/record"
)

func BenchmarkClaim(b *testing.B) {
	for _, known := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("beside %d", known), func(b *testing.B) {
			st := NewFile(b.TempDir() + "/records")
			found := make(map[string]map[record.Fingerprint]string)
			if err := st.Open(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i := range known {
				token := record.FingerprintOf(fmt.Sprint("known", i))
				part := token.String()[:2]
				if found[part] == nil {
					found[part] = make(map[record.Fingerprint]string)
				}
				found[part][token] = "client"
			}
			for _, part := range found {
				if err := st.addClaims(b.Context(), part); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				n++
				if _, err := st.Claim(b.Context(), "client", record.FingerprintOf(fmt.Sprint("new", n)), never); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
