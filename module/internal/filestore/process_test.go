package filestore

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

func TestALeaseExcludesOtherProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	other := startHelper(t, "lease", dir)
	other.expect(t, "leased")

	st := NewFile(dir)
	_, err := st.Lease(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrBusy)
	recordtest.WantErr(t, st.Save(timeout(t, 80*time.Millisecond), "erp", &record.Record{}, 0), context.DeadlineExceeded)

	if err := other.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	lease, err := awaitLease(timeout(t, patience), st)
	if err != nil {
		t.Fatal(err)
	}
	next := startHelper(t, "lease", dir)
	next.expect(t, "busy")
	said := make(chan string, 1)
	go func() { said <- next.word(t) }()
	select {
	case <-said:
		t.Error("two processes have the lease")
	case <-time.After(200 * time.Millisecond):
	}
	lease.Release()
	if got := <-said; got != "leased" {
		t.Errorf("helper said %q, want %q", got, "leased")
	}
}

func TestTheLeaseOfAKilledProcessIsFreeAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	holder := startHelper(t, "lease", dir)
	holder.expect(t, "leased")
	if err := holder.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	lease, err := NewFile(dir).Lease(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
}

func TestSavesOfSeveralProcessesHaveOneWinnerPerRevision(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	st := NewFile(dir)
	others := []*process{startHelper(t, "race", dir), startHelper(t, "race", dir)}
	total, err := race(st, 40)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range others {
		wins, err := strconv.ParseUint(p.word(t), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += wins
	}
	if got := mustLoad(t, st); got.Revision != total || got.Generation != total {
		t.Errorf("%d saves won, but the record is revision %d, generation %d", total, got.Revision, got.Generation)
	}
}

func TestWatchersLearnWhatAnotherProcessWrote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	st := NewFile(dir)
	mustOpen(t, st)
	called := make(chan struct{}, 100)
	defer st.Watch("erp", func() { called <- struct{}{} })()
	startHelper(t, "save", dir).expect(t, "saved")
	select {
	case <-called:
	case <-time.After(patience):
		t.Fatal("not called")
	}
}
