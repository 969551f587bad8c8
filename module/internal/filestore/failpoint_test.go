//go:build failpoint && unix

package filestore

import (
	"fmt"
	"strings"
	"testing"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
)

func TestAProcessKilledInSaveLeavesTheOldOrTheNewRecord(t *testing.T) {
	for point, want := range map[string]struct{ found, opened uint64 }{
		"store-temp-written": {1, 2},
		"store-temp-synced":  {1, 2},
		"store-renamed":      {2, 2},
		"store-dir-synced":   {2, 2},
	} {
		t.Run(point, func(t *testing.T) {
			st := tempStore(t)
			mustSave(t, st, &record.Record{Generation: 1}, 0)
			p := startHelper(t, "save", st.dir, failpoint.Variable+"="+point)
			if p.words.Scan() {
				t.Fatalf("the helper survived and said %q", p.words.Text())
			}
			if got := mustLoad(t, st); got.Revision != want.found {
				t.Errorf("found revision %d, want %d", got.Revision, want.found)
			}
			again := NewFile(st.dir)
			mustOpen(t, again)
			got := mustLoad(t, again)
			if got.Revision != want.opened || got.Generation != want.opened {
				t.Errorf("found revision %d, generation %d after Open, want %d", got.Revision, got.Generation, want.opened)
			}
			mustSave(t, again, got, got.Revision)
		})
	}
}

// The points of a temporary file are passed by the copy first, and the process is
// killed there.
func TestAProcessKilledInReplaceLeavesTheOldOrTheNewRecord(t *testing.T) {
	for point, replaced := range map[string]bool{
		"store-temp-written": false,
		"store-temp-synced":  false,
		"store-renamed":      true,
		"store-dir-synced":   true,
	} {
		t.Run(point, func(t *testing.T) {
			st := damaged(t)
			p := startHelper(t, "replace", st.dir, failpoint.Variable+"="+point)
			if p.words.Scan() {
				t.Fatalf("the helper survived and said %q", p.words.Text())
			}
			again := NewFile(st.dir)
			mustOpen(t, again)
			if !replaced {
				wantFile(t, st.Describe("erp"), damage)
				if err := again.Replace(t.Context(), "erp", recordtest.Holding("living"), 2, 1); err != nil {
					t.Fatal(err)
				}
			}
			if rec := mustLoad(t, again); rec.Revision != 2 || recordtest.RefreshToken(rec) != "living" {
				t.Errorf("got %+v", rec)
			}
			wantFile(t, aside(st), damage)
			mustOpen(t, NewFile(st.dir))
			if names := fmt.Sprint(mustList(t, st)); strings.Contains(names, "tmp") {
				t.Errorf("left are %s", names)
			}
		})
	}
}
