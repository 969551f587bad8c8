package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"lamplighter/module/store"
)

func TestAnOlderTimelineOfADatabaseIsRefused(t *testing.T) {
	var seen timelines
	for _, tc := range []struct{ epoch, want string }{
		{"7001/00000009", ""},
		{"7001/0000000A", ""},
		{"7001/0000000A", ""},
		{"7001/00000009", "timeline 9, and this process has seen timeline 10"},
		{"7002/00000001", ""},
		{"", ""},
		{"7001/0000000A", ""},
		{"7001/0000000B", ""},
		{"7001/0000000A", "name the server of timeline 11"},
	} {
		err := seen.meet(tc.epoch)
		if tc.want == "" && err != nil {
			t.Errorf("%s: %v", tc.epoch, err)
		}
		if tc.want != "" && (!errors.Is(err, store.ErrUnsafe) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", tc.epoch, err)
		}
	}
}

func TestWhatIsSaidOfAnOldPrimaryIsKeptByTheLibrarysWrapping(t *testing.T) {
	var seen timelines
	_ = seen.meet("7/00000002")
	stale := seen.meet("7/00000001")
	e := newEngine(new(source), "lamplighter", false)
	wrapped := fmt.Errorf("connecting: %w", errors.Join(&pgconn.ConnectError{}, fmt.Errorf("127.0.0.1:5432 (127.0.0.1): ValidateConnect failed: %w", stale)))
	if got := e.fault(wrapped, notSent); got.Error() != stale.Error() {
		t.Errorf("%v", got)
	}
}
