package records

import (
	"path/filepath"
	"testing"

	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/record"
)

// A record is shared by who saved it and whoever reads it.
func TestALoadWritesToNothingThatOthersRead(t *testing.T) {
	st := printableStore{filestore.NewFile(filepath.Join(t.TempDir(), "records"))}
	if err := st.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := st.Watch("erp", func() {})
	defer stop()
	p := record.Presented{RefreshToken: "refresh-token-of-the-record", Binding: record.Binding{Grant: 1}}
	rec := new(record.Record).Refuse(1, p, true, &record.Loss{Cause: "refused", Detail: "it was refused"})
	rec = rec.Obtain(record.AccessToken{Number: 1, AccessToken: "access-token-of-the-record"})
	if err := st.Save(t.Context(), "erp", rec, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			_, _ = st.Load(t.Context(), "erp")
		}
	}()
	n := 0
	for range 100000 {
		n += len(rec.Lineages[0].Loss.Detail) + len(rec.AccessTokens[0].Unusable)
	}
	<-done
	if n == 0 {
		t.Error("there was nothing to read")
	}
}
