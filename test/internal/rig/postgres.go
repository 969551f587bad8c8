package rig

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Postgres is a PostgreSQL server on loopback, with the superuser postgres.
type Postgres struct {
	*Server
	Address string
}

// PostgresPassword is that of the superuser.
const PostgresPassword = "postgres-s3cret+/&"

const postgresUser = "postgres"

// postgresProgram returns the path of one of PostgreSQL's programs.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return slices.Max(found)
	}
	return Need(t, name, "install postgresql")
}

// run runs one of PostgreSQL's programs to its end.
func run(t testing.TB, env []string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// StartPostgres starts a new server with settings as in postgresql.conf.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	initdb := postgresProgram(t, "initdb")
	dir := Directory(t, postgresUser)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	run(t, nil, As(postgresUser, initdb, "--no-sync", "--username=postgres", "--auth=scram-sha-256", "--pwfile="+password, "--encoding=UTF8", "--locale=C.UTF-8", data)...)
	return servePostgres(t, dir, settings)
}

// Standby starts a server that follows another one.
func (p *Postgres) Standby(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	return servePostgres(t, p.copied(t, "--write-recovery-conf"), settings)
}

// copied is a directory with a base backup.
func (p *Postgres) copied(t testing.TB, flags ...string) (dir string) {
	t.Helper()
	dir = Directory(t, postgresUser)
	host, port, _ := net.SplitHostPort(p.Address)
	command := append([]string{
		postgresProgram(t, "pg_basebackup"), "--host=" + host, "--port=" + port, "--username=postgres", "--pgdata=" + filepath.Join(dir, "data"),
		"--checkpoint=fast", "--no-sync", "--wal-method=stream",
	}, flags...)
	run(t, []string{"PGPASSWORD=" + PostgresPassword}, As(postgresUser, command...)...)
	return dir
}

// Backup returns a function that restores the server from a base backup of now: as if it
// had crashed then, or with a timeline of its own, as a recovery to a point in time has.
func (p *Postgres) Backup(t testing.TB) (restore func(timeline bool)) {
	t.Helper()
	from := p.copied(t)
	return func(timeline bool) {
		t.Helper()
		p.Stop(os.Kill)
		data := filepath.Join(p.Dir, "data")
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(from, "data"), data); err != nil {
			t.Fatal(err)
		}
		if timeline {
			run(t, nil, As(postgresUser, "sh", "-c", `touch "$1/recovery.signal" && echo "restore_command = 'false'" >>"$1/postgresql.auto.conf"`, "sh", data)...)
		}
		p.Start()
		p.Await()
	}
}

func servePostgres(t testing.TB, dir string, settings []string) *Postgres {
	t.Helper()
	address := FreeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	command := []string{
		postgresProgram(t, "postgres"), "-D", filepath.Join(dir, "data"),
		"-c", "listen_addresses=" + host, "-c", "port=" + port, "-c", "unix_socket_directories=" + dir,
		"-c", "shared_buffers=32MB", "-c", "max_connections=60",
	}
	for _, setting := range settings {
		command = append(command, "-c", setting)
	}
	p := &Postgres{Serve(t, dir, As(postgresUser, command...)...), address}
	p.Await()
	return p
}

// Await waits until it accepts connections.
func (p *Postgres) Await() {
	p.T.Helper()
	host, port, _ := net.SplitHostPort(p.Address)
	ready := postgresProgram(p.T, "pg_isready")
	p.Until("PostgreSQL accepts connections", func() bool {
		return exec.Command(ready, "-q", "-h", host, "-p", port).Run() == nil
	})
}
