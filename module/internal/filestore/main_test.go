package filestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

// helperTask makes the test binary a helper process: what it does, and the
// directory it does it in.
const (
	helperTask = "STORE_TEST_HELPER"
	helperDir  = "STORE_TEST_DIR"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if task := os.Getenv(helperTask); task != "" {
		if err := help(task, NewFile(os.Getenv(helperDir))); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// help is what a helper process does with the record "erp". It says a word on
// its standard output, and ends when its standard input does.
func help(task string, st recordstore.Store) error {
	ctx := context.Background()
	switch task {
	case "lease":
		lease, err := st.Lease(ctx, "erp")
		if errors.Is(err, recordstore.ErrBusy) {
			fmt.Println("busy")
			lease, err = awaitLease(ctx, st)
		}
		if err != nil {
			return err
		}
		fmt.Println("leased")
		_, _ = io.Copy(io.Discard, os.Stdin)
		lease.Release()
	case "save":
		rec, err := stored(ctx, st)
		if err != nil {
			return err
		}
		rec.Generation++
		if err := st.Save(ctx, "erp", rec, rec.Revision); err != nil {
			return err
		}
		fmt.Println("saved")
	case "replace":
		if err := st.Replace(ctx, "erp", recordtest.Holding("living"), 2, 1); err != nil {
			return err
		}
		fmt.Println("replaced")
	case "race":
		wins, err := race(st, 40)
		if err != nil {
			return err
		}
		fmt.Println(wins)
	default:
		return fmt.Errorf("unknown task %q", task)
	}
	return nil
}

// race saves until it has tried n times, and counts how often it won.
func race(st recordstore.Store, n int) (wins uint64, err error) {
	ctx := context.Background()
	for range n {
		rec, err := stored(ctx, st)
		if err != nil {
			return wins, err
		}
		err = st.Save(ctx, "erp", &record.Record{Generation: rec.Generation + 1}, rec.Revision)
		switch {
		case err == nil:
			wins++
		case !errors.Is(err, recordstore.ErrConflict):
			return wins, err
		}
	}
	return wins, nil
}

// stored returns the record, and an empty one if there is none.
func stored(ctx context.Context, st recordstore.Store) (*record.Record, error) {
	rec, err := st.Load(ctx, "erp")
	if errors.Is(err, recordstore.ErrNotFound) {
		return new(record.Record), nil
	}
	return rec, err
}

// awaitLease tries until another holder gives the lease back, or ctx ends.
func awaitLease(ctx context.Context, st recordstore.Store) (recordstore.Lease, error) {
	for {
		lease, err := st.Lease(ctx, "erp")
		if !errors.Is(err, recordstore.ErrBusy) {
			return lease, err
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// process is a running helper.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	words *bufio.Scanner
}

func startHelper(t *testing.T, task, dir string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), helperTask+"="+task, helperDir+"="+dir), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &process{cmd: cmd, stdin: stdin, words: bufio.NewScanner(stdout)}
}

// word returns the next thing that the helper says.
func (p *process) word(t *testing.T) string {
	t.Helper()
	if !p.words.Scan() {
		t.Fatalf("helper said nothing: %v", p.words.Err())
	}
	return strings.TrimSpace(p.words.Text())
}

func (p *process) expect(t *testing.T, want string) {
	t.Helper()
	if got := p.word(t); got != want {
		t.Fatalf("helper said %q, want %q", got, want)
	}
}

func timeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func mustSave(t *testing.T, st recordstore.Store, rec *record.Record, ifRevision uint64) {
	t.Helper()
	if err := st.Save(t.Context(), "erp", rec, ifRevision); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t *testing.T, st recordstore.Store) *record.Record {
	t.Helper()
	rec, err := st.Load(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func mustLease(t *testing.T, st recordstore.Store) recordstore.Lease {
	t.Helper()
	lease, err := st.Lease(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lease.Release)
	return lease
}

func mustOpen(t *testing.T, st recordstore.Store) {
	t.Helper()
	if err := st.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
}
