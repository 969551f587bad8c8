package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
	"lamplighter/module/store/guest"
)

// What an error says of a write.
const (
	notSent = iota // no write was sent
	sent           // a write was sent, and nothing is known of it unless the server said so
)

// code is the SQLSTATE of a server's answer, or empty.
func code(err error) string {
	if answer := new(pgconn.PgError); errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// fault says what an error means in the words of package store. What the server answered
// with an ERROR was rolled back; of what it did not answer, or what ended its session,
// nobody knows.
func (e *Engine) fault(err error, state int) error {
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable, store.ErrUnknown, store.ErrRefused, store.ErrFull, store.ErrUnsafe} {
		if errors.Is(err, known) {
			return tidy(err, known)
		}
	}
	answer := new(pgconn.PgError)
	if !errors.As(err, &answer) {
		if state == sent && !pgconn.SafeToRetry(err) {
			return said(store.ErrUnknown, err)
		}
		return said(store.ErrUnavailable, err)
	}
	ended := cmp.Or(answer.SeverityUnlocalized, answer.Severity) != "ERROR"
	switch class := answer.Code[:min(2, len(answer.Code))]; {
	case class == "28" || class == "3D":
		return said(store.ErrRefused, err)
	case state == sent && (ended || class == "08" || class == "57" || class == "XX"):
		return said(store.ErrUnknown, err)
	case answer.Code == "42501":
		return fmt.Errorf("%w; if a right is missing, run this as the owner of the tables: %s", said(store.ErrRefused, err), script(e.tables.grants(e.role())))
	case answer.Code == "42P01" || answer.Code == "3F000":
		return fmt.Errorf("%w; the tables are made by: %s", said(store.ErrRefused, err), script(e.tables.creation(), e.tables.grants(e.role())))
	case answer.Code == "53100":
		return said(store.ErrFull, err)
	case answer.Code == "40001":
		return said(store.ErrConflict, err)
	}
	return said(store.ErrUnavailable, err)
}

// demoted reports whether a server answered that it takes no writes any more, or is no
// primary: the connection to it is of no use then.
func demoted(err error) bool {
	c := code(err)
	return c == "25006" || c == "55000"
}

// said is an error of the store with what its server or the network said, fit to print.
func said(known, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && code(err) == "" {
		return fmt.Errorf("%w: there was no answer in time", known)
	}
	if answer := new(pgconn.PgError); errors.As(err, &answer) {
		return fmt.Errorf("%w: %s (SQLSTATE %s)", known, redact.Text(answer.Message), redact.Word(answer.Code))
	}
	if wrapped := new(pgconn.ConnectError); errors.As(err, &wrapped) && wrapped.Unwrap() != nil {
		err = wrapped.Unwrap() // without user and database, which a password may begin with
	}
	text := redact.Text(oneLine(err.Error()))
	if guest.Untrusted(err) {
		text += untrusted
	}
	return fmt.Errorf("%w: %s", known, text)
}

const untrusted = "; name who signed the server's certificate with 'tls { trust_pool file <file> }' or sslrootcert in dsn, and another name that it has with server_name in tls"

// oneLine is a text in one line, without what it repeats: of each host, the library tells
// what it met with and without TLS, and by each address.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}

// tidy keeps what is ours of an error that a library has wrapped.
func tidy(err, known error) error {
	if wrapped := new(pgconn.ConnectError); !errors.As(err, &wrapped) {
		return err
	}
	if stale := new(staleError); errors.As(err, &stale) {
		return stale
	}
	for _, ours := range []error{errStandby, errReadOnly} {
		if errors.Is(err, ours) {
			return ours
		}
	}
	return said(known, err)
}

// unproved is the key of a mark in a connection: the server warned.
const unproved = "lamplighter: warned"

// noticed takes note of a warning. The server gives one when a write was not replicated
// as synchronous_commit demands, because somebody cancelled the wait for that, and then
// says that it succeeded.
func noticed(c *pgconn.PgConn, notice *pgconn.Notice) {
	if cmp.Or(notice.SeverityUnlocalized, notice.Severity) == "WARNING" {
		c.CustomData()[unproved] = redact.Text(notice.Message)
	}
}

// warned returns what the server warned of since the last call, or nothing.
func warned(c *pgconn.PgConn) string {
	text, _ := c.CustomData()[unproved].(string)
	delete(c.CustomData(), unproved)
	return text
}
