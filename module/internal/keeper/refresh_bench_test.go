package keeper

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/tokenendpoint"
)

// BenchmarkRefresh is one refresh with the file store, of a client whose list of
// consumed refresh tokens is full. Without a TMPDIR in memory it measures the disk.
func BenchmarkRefresh(b *testing.B) {
	issued := 0
	ask := func(_ context.Context, q Request) tokenendpoint.Answer {
		if err := q.BeforeSend(); err != nil {
			return tokenendpoint.Answer{Outcome: tokenendpoint.NotSent}
		}
		issued++
		return tokenendpoint.Answer{
			Outcome: tokenendpoint.Granted, Status: 200, TokenType: "Bearer", ExpiresIn: time.Hour,
			AccessToken: fmt.Sprintf("access-%057d", issued), RefreshToken: fmt.Sprintf("refresh-%056d", issued),
		}
	}
	k := New("erp", filestore.NewFile(filepath.Join(b.TempDir(), "records")), nil)
	stop := k.Start(Settings{
		Settings: step.Settings{Rotating: true, RefreshWindowRatio: 1.0 / 3, Timeout: 30 * time.Second},
		Resolve: func() (Inputs, error) {
			return Inputs{Inputs: step.Inputs{Seed: "seed", Binding: record.Binding{Grant: 1, Request: 2}}, Ask: ask}, nil
		},
	})
	defer stop()
	refresh := func() {
		if res, err := k.Refresh(b.Context(), false); err != nil || !res.Obtained {
			b.Fatal(res, err)
		}
	}
	for range 200 {
		refresh()
	}
	b.ReportAllocs()
	for b.Loop() {
		refresh()
	}
}
