package records

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/hostile"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
)

// Fault A14.
func TestWhatARecordSaysIsFitToPrint(t *testing.T) {
	st := printableStore{filestore.NewFile(filepath.Join(t.TempDir(), "records"))}
	if err := st.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := record.Presented{
		RefreshToken: "refresh-token-of-the-record", Binding: record.Binding{Grant: 1, TokenEndpoint: "https://as.example/" + hostile.Text},
	}
	rec := new(record.Record).Refuse(1, p, true, &record.Loss{Cause: hostile.Text, Detail: "it was refresh-token-of-the-record"})
	rec = rec.Obtain(record.AccessToken{Number: 1, AccessToken: "access-token-of-the-record", Unusable: hostile.Text})
	if err := st.Store.Save(t.Context(), "erp", rec, 0); err != nil {
		t.Fatal(err)
	}
	got, err := st.Load(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	lost := got.Lost(1)
	if lost.Loss.Detail != redact.Withheld {
		t.Errorf("says %s", lost.Loss.Detail)
	}
	for _, text := range []string{lost.Loss.Cause, got.AccessTokens[0].Unusable, lost.TokenEndpoint} {
		hostile.CheckPrintable(t, "a record", text)
	}
	if redact.Text("oh, access-token-of-the-record") != redact.Withheld {
		t.Error("its token is not remembered")
	}
}

func TestAnErrorThatIsFitToPrintIsStillTheSame(t *testing.T) {
	err := redact.Error(fmt.Errorf("reading %s: %w", hostile.Text, fs.ErrNotExist))
	hostile.CheckPrintable(t, "an error", err.Error())
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("is another")
	}
}
