package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"lamplighter/module/store"
)

func answered(severity, code string) error {
	return fmt.Errorf("wrapped: %w", &pgconn.PgError{SeverityUnlocalized: severity, Severity: severity, Code: code, Message: "said the server\x1b[31m"})
}

// A write is in doubt unless the server said that it undid it. Nothing is in doubt of what
// was no write.
func TestAWriteIsInDoubtUnlessTheServerUndidIt(t *testing.T) {
	for _, tc := range []struct {
		err         error
		write, read error
	}{
		{io.ErrUnexpectedEOF, store.ErrUnknown, store.ErrUnavailable},
		{context.DeadlineExceeded, store.ErrUnknown, store.ErrUnavailable},
		{answered("FATAL", "57P01"), store.ErrUnknown, store.ErrUnavailable},
		{answered("ERROR", "57014"), store.ErrUnknown, store.ErrUnavailable},
		{answered("FATAL", "XX000"), store.ErrUnknown, store.ErrUnavailable},
		{answered("ERROR", "XX000"), store.ErrUnknown, store.ErrUnavailable},
		{answered("ERROR", "08P01"), store.ErrUnknown, store.ErrUnavailable},
		{answered("FEHLER", "57P03"), store.ErrUnknown, store.ErrUnavailable},
		{answered("ERROR", "25006"), store.ErrUnavailable, store.ErrUnavailable},
		{answered("ERROR", "55000"), store.ErrUnavailable, store.ErrUnavailable},
		{answered("ERROR", "40P01"), store.ErrUnavailable, store.ErrUnavailable},
		{answered("ERROR", "53200"), store.ErrUnavailable, store.ErrUnavailable},
		{answered("ERROR", "53100"), store.ErrFull, store.ErrFull},
		{answered("ERROR", "40001"), store.ErrConflict, store.ErrConflict},
		{answered("ERROR", "42501"), store.ErrRefused, store.ErrRefused},
		{answered("ERROR", "42P01"), store.ErrRefused, store.ErrRefused},
		{answered("FATAL", "28P01"), store.ErrRefused, store.ErrRefused},
		{answered("FATAL", "3D000"), store.ErrRefused, store.ErrRefused},
		{fmt.Errorf("x: %w", store.ErrConflict), store.ErrConflict, store.ErrConflict},
	} {
		e := newEngine(new(source), "lamplighter", false)
		for state, want := range map[int]error{sent: tc.write, notSent: tc.read} {
			got := e.fault(tc.err, state)
			for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable, store.ErrUnknown, store.ErrRefused, store.ErrFull, store.ErrUnsafe} {
				if errors.Is(got, known) != errors.Is(want, known) {
					t.Errorf("%v, written %v: %v", tc.err, state == sent, got)
				}
			}
			if strings.ContainsRune(got.Error(), '\x1b') || len(got.Error()) > 4000 {
				t.Errorf("%q cannot be printed", got)
			}
		}
	}
}

func TestTheRemedyForAMissingRightIsSQLToRun(t *testing.T) {
	e := newEngine(new(source), "apps.lamp", false)
	text := e.fault(answered("ERROR", "42501"), sent).Error()
	for _, want := range []string{
		`GRANT USAGE ON SCHEMA "apps" TO "lamplighter";`,
		`GRANT SELECT, INSERT, UPDATE ON "apps"."lamp_records", "apps"."lamp_claims" TO "lamplighter";`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON "apps"."lamp_leases" TO "lamplighter";`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in: %s", want, text)
		}
	}
	if text := e.fault(answered("ERROR", "42P01"), notSent).Error(); !strings.Contains(text, `CREATE TABLE IF NOT EXISTS "apps"."lamp_leases"`) {
		t.Error(text)
	}
}

func TestTheHostsThatCannotBeReachedAreNamedOnceInALine(t *testing.T) {
	e := newEngine(new(source), "lamplighter", false)
	text := e.fault(errors.New("failed to connect to `user=u database=d`:\n\t127.0.0.1:1 (localhost): refused\n\t127.0.0.1:1 (localhost): refused\n\t[::1]:1 (localhost): refused"), notSent).Error()
	if want := "failed to connect to `user=u database=d`: 127.0.0.1:1 (localhost): refused; [::1]:1 (localhost): refused"; !strings.HasSuffix(text, ": "+want) {
		t.Errorf("%q", text)
	}
}
