package filestore

import (
	"fmt"
	"strings"
	"testing"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
)

func BenchmarkSave(b *testing.B) {
	for _, leased := range []bool{false, true} {
		b.Run(fmt.Sprintf("leased=%t", leased), func(b *testing.B) {
			st := tempStore(b)
			rec := recordtest.Sample()
			for i := range uint32(200) { // more than it remembers
				p := record.Presented{RefreshToken: recordtest.RefreshToken(rec), Binding: recordtest.Binding}
				rec = rec.Answered(10+i, p, record.Token{RefreshToken: fmt.Sprint(i, strings.Repeat("r", 1024))})
			}
			rec.AccessTokens[0].AccessToken = strings.Repeat("a", 1536)
			if leased {
				lease, err := st.Lease(b.Context(), "erp")
				if err != nil {
					b.Fatal(err)
				}
				defer lease.Release()
			}
			b.ReportAllocs()
			var rev uint64
			for b.Loop() {
				if err := st.Save(b.Context(), "erp", rec, rev); err != nil {
					b.Fatal(err)
				}
				rev++
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	st := tempStore(b)
	if err := st.Save(b.Context(), "erp", recordtest.Sample(), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := st.Load(b.Context(), "erp"); err != nil {
			b.Fatal(err)
		}
	}
}
