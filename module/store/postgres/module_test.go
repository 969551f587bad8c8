package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// provisioned is a store of a Caddyfile's block.
func provisioned(t *testing.T, lines ...string) (*Postgres, error) {
	t.Helper()
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSERVICE"} {
		t.Setenv(name, "")
	}
	t.Setenv("PGUSER", "somebody")
	s := new(Postgres)
	if err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser("postgres {\n" + strings.Join(lines, "\n") + "\n}")); err != nil {
		return nil, err
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return s, s.Provision(ctx)
}

func TestAConnectionBeyondLoopbackIsVerifiedUnlessSaidOtherwise(t *testing.T) {
	for line, want := range map[string]string{
		"dsn postgres://u:p@db.example.com/app":                              "db.example.com",
		"dsn host=db.example.com dbname=app":                                 "db.example.com",
		"dsn host=127.0.0.1,db.example.com dbname=app":                       "127.0.0.1",
		"host db.example.com":                                                "db.example.com",
		"host db.example.com\ntls":                                           "db.example.com",
		"host db.example.com\ntls {\nserver_name pg.internal\n}":             "pg.internal",
		"dsn postgres://u@10.0.0.1/app?application_name=x\ntls":              "10.0.0.1",
		"dsn host=db.example.com sslmode=require dbname=app":                 "unverified",
		"dsn postgres://u@db.example.com/app?sslmode=require":                "unverified",
		"host localhost\ntls":                                                "localhost",
		"dsn postgres://u@db.example.com/a?sslmode=disable\nallow_plaintext": "plain",
		"dsn postgres://u@127.0.0.1/app?sslmode=disable":                     "plain",
		"dsn host=/var/run/postgresql dbname=app":                            "plain",
	} {
		s, err := provisioned(t, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		config, err := s.source.config()
		if err != nil {
			t.Fatal(err)
		}
		got := "plain"
		if c := config.ConnConfig.TLSConfig; c != nil {
			if got = c.ServerName; c.InsecureSkipVerify {
				got = "unverified"
			}
		}
		if got != want {
			t.Errorf("%s: %s, not %s", line, got, want)
		}
	}
}

func TestASettingThatCannotWorkIsRefusedWithARemedy(t *testing.T) {
	for line, want := range map[string]string{
		"": "dsn is missing: write",
		"dsn postgres://u@db.example.com/app?sslmode=disable":        `the connection to "db.example.com" would be without TLS`,
		"dsn postgres://u@db.example.com/app?sslmode=prefer":         "write sslmode=verify-full",
		"dsn host=127.0.0.1,db.example.com sslmode=disable dbname=a": `"db.example.com" would be without TLS`,
		"dsn postgres://u@db/app?sslmode=verify-full\ntls":           "give one of them",
		"dsn postgres://u@db/app\nhost db":                           "give it alone",
		"host db\ndurability replicas":                               "durability can only be local",
		"host db\ntable Lamp":                                        "table must be a name of small letters",
		"host db\ntable a.b.c":                                       "table must be",
		"host db\nlease 100ms":                                       "lease must be at least 1s",
		"dsn host=a\ndsn host=b":                                     "dsn is given twice",
		"host db\nport 1\nport 2":                                    "port is given twice",
		"host db\nport x":                                            "port x is no port",
		"host db\nport 0":                                            "port 0 is no port",
		"host db\nport 65536":                                        "is no port",
		"host db\ncolor red":                                         "color: this store has dsn, host",
		"dsn {env.LAMPLIGHTER_NO_DSN}":                               "dsn: the environment variable LAMPLIGHTER_NO_DSN is not set",
		"host db\npassword {file./no/such/file}":                     "password: stat /no/such/file",
		"dsn postgres://u@db/a?sslmode=verify-ca&sslrootcert=/no/ca": "/no/ca",
		"host db\ntls {\nclient_auth example.com\n}":                 "given by its files",
	} {
		if _, err := provisioned(t, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestNoErrorOfAConnectionStringShowsAPassword(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:s3cr3t-word:more@db/app", "postgres://u:s3cr3t-word@db:port/app", "postgres://u:s3cr3t%-word@db/app",
		"postgres://s3cr3t-word", "host=db password='s3cr3t-word", "password=s3cr3t-word host db", "s3cr3t-word",
		"host=db port=s3cr3t-word", "postgres://u@db:s3cr3t-word@/app", "host=db connect_timeout=s3cr3t-word",
		"host=db pool_max_conns=s3cr3t-word", "postgres://u@db/app?sslmode=s3cr3t-word",
	} {
		file := filepath.Join(t.TempDir(), "dsn")
		if err := os.WriteFile(file, []byte(dsn), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := provisioned(t, "dsn {file."+file+"}")
		if err == nil && dsn != "postgres://s3cr3t-word" && dsn != "postgres://u:s3cr3t-word:more@db/app" {
			t.Errorf("%s is accepted", dsn)
		}
		if err != nil && strings.Contains(err.Error(), "3cr3t") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestCredentialsAreReadAnewForEachConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	write := func(dsn string) {
		if err := os.WriteFile(file, []byte(dsn+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("postgres://old:before@127.0.0.1/app")
	s, err := provisioned(t, "dsn {file."+file+"}")
	if err != nil {
		t.Fatal(err)
	}
	write("postgres://new:after@127.0.0.2:99/app")
	e, err := s.Engine()
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.source.config()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.(*Engine).renewed(config.ConnConfig); err != nil {
		t.Fatal(err)
	}
	if c := config.ConnConfig; c.User != "new" || c.Password != "after" || c.Host != "127.0.0.2" || c.Port != 99 {
		t.Errorf("%s:%s@%s:%d", c.User, c.Password, c.Host, c.Port)
	}
	if want := "127.0.0.1:5432/app/lamplighter"; s.Identity() != want {
		t.Errorf("the store is %s, not %s", s.Identity(), want)
	}
	if place := e.Describe("erp"); !strings.Contains(place, `row "erp"`) || !strings.Contains(place, "127.0.0.2:99/app") || strings.Contains(place, "after") {
		t.Error(place)
	}
}

func TestThePairsOfADSNNeedNoQuotesInACaddyfile(t *testing.T) {
	s, err := provisioned(t, `dsn host=127.0.0.1 user=u "password=it's a \"word\"" dbname=app`)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.source.config()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.ConnConfig.Password; got != `it's a "word"` {
		t.Errorf("the password is %s", got)
	}
}

func TestThePasswordOfASettingIsTakenAsItIs(t *testing.T) {
	s, err := provisioned(t, "host 127.0.0.1", "user \"o'brien\"", `database "a b\\c"`, `password "p' \\x=1"`)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.source.config()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.ConnConfig; c.User != "o'brien" || c.Database != `a b\\c` || c.Password != `p' \\x=1` {
		t.Errorf("%s, %s, %s", c.User, c.Database, c.Password)
	}
}

func TestALiteralPasswordIsSeen(t *testing.T) {
	for dsn, want := range map[string]bool{
		"postgres://u:word@db/app": true, "postgres://u:{env.PW}@db/app": false, "postgres://u@db/app": false, "{file./run/secrets/pg}": false,
		"host=db password=word": true, "host=db password={env.PW}": false, "host=db": false, "postgres://db/app?password=word": true,
	} {
		if got := literalPassword(dsn); got != want {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}
