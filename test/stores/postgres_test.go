package stores

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/jackc/pgx/v5"

	"lamplighter/module/store"
	"lamplighter/module/store/guest"
	"lamplighter/module/store/postgres"
	"lamplighter/module/store/storetest"
	"lamplighter/test/internal/rig"
)

// module is an engine's module as a Caddyfile has it.
type module interface {
	guest.Module
	caddyfile.Unmarshaler
	caddy.Provisioner
}

// engineOf returns a new engine, as the app makes it of a block in a Caddyfile.
func engineOf(t testing.TB, m module, kind string, lines ...string) store.Engine {
	t.Helper()
	if err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser(kind + " {\n" + strings.Join(lastOfEach(lines), "\n") + "\n}")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel() // the engine outlives it
	if err := m.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	e, err := m.Engine()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// nameSpace is a name for what a test writes.
func nameSpace(t testing.TB) string {
	return fmt.Sprintf("t%08x", crc32.ChecksumIEEE([]byte(t.Name())))
}

// secretFile is a file with a secret, as a placeholder.
func secretFile(t testing.TB, secret string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "{file." + name + "}"
}

// dsn is how the superuser connects.
func dsn(p *rig.Postgres) string {
	host, port, _ := strings.Cut(p.Address, ":")
	return fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres password='%s'", host, port, rig.PostgresPassword)
}

func postgresEngine(t testing.TB, dsn string, lines ...string) store.Engine {
	t.Helper()
	return engineOf(t, new(postgres.Postgres), "postgres", append([]string{"dsn " + secretFile(t, dsn), "table " + nameSpace(t)}, lines...)...)
}

// sql runs statements as a role.
func sql(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// readOnly reads the tag of a row, of a standby too.
func readOnly(t testing.TB, dsn, table string) (tag string, err error) {
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(t.Context())
	err = conn.QueryRow(t.Context(), "SELECT tag FROM "+table+"_records").Scan(&tag)
	return tag, err
}

func TestPostgresKeepsTheContract(t *testing.T) {
	p := rig.StartPostgres(t)
	storetest.Run(t, func(t *testing.T) store.Engine { return postgresEngine(t, dsn(p)) },
		storetest.Secrets(rig.PostgresPassword),
		storetest.Cut(func(t *testing.T) {
			sql(t, dsn(p), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lamplighter'")
		}))
}

// lastOfEach are options of which a later one takes the place of an earlier one: a block
// that names one twice is refused.
func lastOfEach(lines []string) (kept []string) {
	for i, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		if !slices.ContainsFunc(lines[i+1:], func(later string) bool { return later == name || strings.HasPrefix(later, name+" ") }) {
			kept = append(kept, line)
		}
	}
	return kept
}
