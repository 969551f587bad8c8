package stores

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lamplighter/module/store"
	"lamplighter/test/internal/rig"
)

// refuses fails unless an engine cannot be opened, for a reason that names the remedy.
func refuses(t *testing.T, e store.Engine, reason error, remedies ...string) string {
	t.Helper()
	err := e.Open(t.Context())
	if !errors.Is(err, reason) {
		t.Fatalf("opened: %v, and not: %v", err, reason)
	}
	for _, remedy := range remedies {
		if !strings.Contains(err.Error(), remedy) {
			t.Errorf("%q is not in: %v", remedy, err)
		}
	}
	if strings.Contains(err.Error(), rig.PostgresPassword) || strings.Contains(err.Error(), "guest-s3cret") {
		t.Errorf("the password is in: %v", err)
	}
	return err.Error()
}

// as is dsn for another role.
func as(p *rig.Postgres, role string) string {
	host, port, _ := strings.Cut(p.Address, ":")
	return fmt.Sprintf("postgres://%s:guest-s3cret@%s:%s/postgres", role, host, port)
}

// sqlOf is the SQL that an error tells to run.
func sqlOf(t *testing.T, text string) []string {
	t.Helper()
	start := min(indexOf(text, "GRANT "), indexOf(text, "CREATE TABLE "))
	if start == len(text) {
		t.Fatalf("there is no SQL in: %s", text)
	}
	return strings.Split(strings.TrimSuffix(text[start:], ";"), "; ")
}

func indexOf(text, part string) int {
	if i := strings.Index(text, part); i >= 0 {
		return i
	}
	return len(text)
}

func TestARoleWithoutRightsIsToldTheSQLThatGivesThem(t *testing.T) {
	p := rig.StartPostgres(t)
	sql(t, dsn(p), "CREATE ROLE guest LOGIN PASSWORD 'guest-s3cret'", "CREATE SCHEMA apps")
	for _, lines := range [][]string{nil, {"table apps.lamp"}} {
		e := postgresEngine(t, as(p, "guest"), lines...)
		text := refuses(t, e, store.ErrRefused)
		sql(t, dsn(p), sqlOf(t, text)...)
		if err := e.Open(t.Context()); err != nil {
			t.Fatalf("after what it said was done: %v", err)
		}
		if _, err := e.Put(t.Context(), "erp", []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	table := nameSpace(t)
	e := postgresEngine(t, as(p, "guest"))
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	sql(t, dsn(p), "REVOKE UPDATE ON "+table+"_records, "+table+"_leases FROM guest")
	text := refuses(t, e, store.ErrRefused, "lacks UPDATE")
	o, err := e.Get(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Put(t.Context(), "erp", []byte("y"), o.Tag); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, UPDATE ON") {
		t.Errorf("a write without the right: %v", err)
	}
	sql(t, dsn(p), sqlOf(t, text)...)
	if _, err := e.Put(t.Context(), "erp", []byte("y"), o.Tag); err != nil {
		t.Errorf("after what it said was done: %v", err)
	}
}

func TestWrongCredentialsAreRefusedAndRightOnesTakenAtTheNextConnection(t *testing.T) {
	p := rig.StartPostgres(t)
	sql(t, dsn(p), "CREATE ROLE guest LOGIN PASSWORD 'before-s3cret'")
	e := postgresEngine(t, as(p, "guest"))
	refuses(t, e, store.ErrRefused, "28P01")
	sql(t, dsn(p), "ALTER ROLE guest PASSWORD 'guest-s3cret'", "GRANT CREATE ON SCHEMA public TO guest")
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuses(t, postgresEngine(t, strings.Replace(as(p, "guest"), "/postgres", "/nowhere", 1)), store.ErrRefused, "nowhere")
}

func TestATableOfAnotherKindIsLeftAlone(t *testing.T) {
	p := rig.StartPostgres(t)
	sql(t, dsn(p), "CREATE TABLE "+nameSpace(t)+"_records (id int)")
	refuses(t, postgresEngine(t, dsn(p)), store.ErrRefused, "another name with 'table'")
}

func TestAServerThatForgetsIsRefused(t *testing.T) {
	p := rig.StartPostgres(t, "fsync=off")
	refuses(t, postgresEngine(t, dsn(p)), store.ErrUnsafe, "fsync is off", "set it to on")
}

func TestAStandbyIsRefusedAndThePrimaryAmongServersChosen(t *testing.T) {
	p := rig.StartPostgres(t)
	standby := p.Standby(t)
	refuses(t, postgresEngine(t, dsn(standby)), store.ErrUnsafe, "read-only standby", "name the primary")

	refuses(t, postgresEngine(t, dsn(p)), store.ErrUnsafe, "has 1 standby ", "synchronous_standby_names", "durability local")
	if err := postgresEngine(t, dsn(p), "durability local").Open(t.Context()); err != nil {
		t.Errorf("with durability local: %v", err)
	}
	sql(t, dsn(p), "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	_, first, _ := strings.Cut(standby.Address, ":")
	_, second, _ := strings.Cut(p.Address, ":")
	both := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=postgres dbname=postgres password='%s'", first, second, rig.PostgresPassword)
	rig.Eventually(t, "the primary has read its configuration", func() bool {
		return postgresEngine(t, both).Open(t.Context()) == nil
	})
	sql(t, dsn(p), "ALTER ROLE postgres SET default_transaction_read_only = on")
	refuses(t, postgresEngine(t, dsn(p)), store.ErrUnsafe, "default_transaction_read_only")
}

// TestAWriteThatIsNotReplicatedIsNotConfirmed: the server says that it succeeded when
// somebody cancels its wait for a synchronous standby.
func TestAWriteThatIsNotReplicatedIsNotConfirmed(t *testing.T) {
	p := rig.StartPostgres(t)
	e := postgresEngine(t, dsn(p))
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	sql(t, dsn(p), "ALTER SYSTEM SET synchronous_standby_names = 'absent'", "SELECT pg_reload_conf()")
	rig.Eventually(t, "the wait is cancelled", func() bool {
		written := make(chan error, 1)
		go func() {
			_, err := e.Put(t.Context(), "erp", []byte("two"), tag)
			written <- err
		}()
		for {
			select {
			case err := <-written:
				if err == nil { // the configuration was not yet read
					o, _ := e.Get(t.Context(), "erp")
					tag = o.Tag
					return false
				}
				if !errors.Is(err, store.ErrUnknown) {
					t.Fatalf("a write that no standby has: %v", err)
				}
				return true
			default:
				sql(t, dsn(p), "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			}
		}
	})
	if o, err := e.Get(t.Context(), "erp"); err != nil || string(o.Data) != "two" {
		t.Errorf("reading does not tell: %v, %v", o, err)
	}
}
