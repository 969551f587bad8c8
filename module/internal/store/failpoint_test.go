//go:build failpoint && unix

package store

import (
	"testing"

	"lamplighter/module/internal/failpoint"
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
			mustSave(t, st, Record{Generation: 1}, 0)
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
