// Package postgres keeps what replicas share in tables of a PostgreSQL database: how an
// object, a lease and news of a change are rows and notifications there, and whether a
// server can be trusted with them.
//
// It knows PostgreSQL, and the contract of package store. It must not know what the bytes
// mean, nor clients.
package postgres

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/keypair"
	"lamplighter/module/placeholder"
	"lamplighter/module/store"
	"lamplighter/module/store/guest"
)

func init() {
	caddy.RegisterModule(Postgres{})
}

// Postgres keeps the records of clients in a PostgreSQL database, version 12 or newer, so that
// many replicas share one grant. It makes its tables at the first start if it may; otherwise
// the error holds the SQL to run. What is written here survives what `synchronous_commit = on`
// survives: a crash of the server, and with a synchronous standby the loss of the primary.
//
// Servers that speak PostgreSQL's protocol behind a pooler work too. Where that hides
// notifications (transaction pooling does), changes are polled for.
type Postgres struct {
	guest.Options

	// How to connect, as a URL (`postgres://user@host:5432/database`) or as `key=value`
	// pairs, both as libpq has them; what it does not say, libpq's environment variables
	// do. Several hosts are tried in turn, and the one that takes writes is used.
	// `{env.*}` and `{file.*}` are read anew for each connection. Without `sslmode` it is
	// `verify-full`, but on loopback. Instead of it: `host` and the following.
	DSN string `json:"dsn,omitempty"`

	// The server's name or address, or the directory of its socket. Default: what libpq
	// takes.
	Host string `json:"host,omitempty"`

	// Its port. Default: `5432`.
	Port uint16 `json:"port,omitempty"`

	// The database. Default: `user`.
	Database string `json:"database,omitempty"`

	// The role. `{env.*}` and `{file.*}` are read anew for each connection. Default:
	// what libpq takes.
	User string `json:"user,omitempty"`

	// Its password, best as `{file.*}` or `{env.*}`, which are read anew for each
	// connection. Default: none, as for a client certificate.
	Password string `json:"password,omitempty"`

	// TLS to the server: certificate authorities, client certificate, server name. The
	// client certificate's files are read again for each handshake. The server's
	// certificate is verified, its name too. Not beside an `sslmode` in `dsn`. Default:
	// what `sslmode` says.
	TLS *reverseproxy.TLSConfig `json:"tls,omitempty"`

	// What the names of the tables begin with (`lamplighter_records`,
	// `lamplighter_claims`, `lamplighter_leases`), and the name of the channel that tells
	// of changes. It may have a schema before it (`apps.lamplighter`). Letters, digits and
	// `_`, all small. Default: `lamplighter`.
	Table string `json:"table,omitempty"`

	// `local` accepts a server with standbys of which none is synchronous: when it is
	// lost, the newest refresh token is lost with it, and a human has to log in anew.
	// Default: such a server is refused.
	Durability string `json:"durability,omitempty"`

	source   *source
	identity string
}

// CaddyModule returns the module's information.
func (Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  guest.Namespace + ".postgres",
		New: func() caddy.Module { return new(Postgres) },
	}
}

// UnmarshalCaddyfile reads the store's options. Syntax:
//
//	store postgres {
//	    dsn             <url or key=value pairs>
//	    host            <host>
//	    port            <port>
//	    database        <name>
//	    user            <role>
//	    password        <password>
//	    tls {
//	        <option of a transport's tls, without tls_>...
//	    }
//	    table           <name>
//	    durability      local
//	    encryption_key  <file>...
//	    lease           <duration>
//	    op_timeout      <duration>
//	    poll            <duration>
//	    allow_plaintext
//	}
func (s *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return guest.UnmarshalBlock(d, func() error { return s.unmarshalLine(d) })
}

func (s *Postgres) unmarshalLine(d *caddyfile.Dispenser) (err error) {
	switch d.Val() {
	case "dsn":
		var args []string // key=value pairs need not be quoted
		err := guest.UnmarshalTexts(d, &args)
		s.DSN = joined(args)
		return err
	case "host":
		return guest.UnmarshalText(d, &s.Host)
	case "port":
		var port string
		if err := guest.UnmarshalText(d, &port); err != nil {
			return err
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return d.Errf("port %s is no port", port)
		}
		s.Port = uint16(number)
		return nil
	case "database":
		return guest.UnmarshalText(d, &s.Database)
	case "user":
		return guest.UnmarshalText(d, &s.User)
	case "password":
		return guest.UnmarshalText(d, &s.Password)
	case "tls":
		s.TLS, err = guest.UnmarshalTLS(d)
		return err
	case "table":
		return guest.UnmarshalText(d, &s.Table)
	case "durability":
		return guest.UnmarshalText(d, &s.Durability)
	}
	known, err := s.UnmarshalOption(d)
	if err == nil && !known {
		return guest.UnknownOption(d, "dsn", "host", "port", "database", "user", "password", "tls", "table", "durability")
	}
	return err
}

// tableName is what a table's name may be: an identifier that needs no quotes, short
// enough for what is appended, and perhaps a schema.
var tableName = regexp.MustCompile(`^([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,39}$`)

// Provision checks the settings. It dials nothing.
func (s *Postgres) Provision(ctx caddy.Context) error {
	if err := s.Options.Provision(); err != nil {
		return err
	}
	if s.Table == "" {
		s.Table = "lamplighter"
	}
	switch {
	case !tableName.MatchString(s.Table):
		return errors.New("table must be a name of small letters, digits and _, of at most 40, such as lamplighter, or schema.lamplighter")
	case s.Durability != "" && s.Durability != "local":
		return errors.New("durability can only be local, which accepts a server whose standbys are all asynchronous")
	case s.DSN != "" && (s.Host != "" || s.Port != 0 || s.Database != "" || s.User != "" || s.Password != ""):
		return errors.New("dsn says host, port, database, user and password: give it alone, or give those")
	case s.DSN == "" && s.Host == "" && s.Database == "":
		return errors.New("dsn is missing: write 'dsn {file./run/secrets/pg}' with postgres://user:password@host/database in that file, or host, database, user and password")
	case s.TLS != nil && s.TLS.ClientCertificateAutomate != "":
		return errors.New("tls: a client certificate is given by its files here: 'client_auth <cert_file> <key_file>'")
	}
	s.source = &source{
		where: placeholder.WhereOf(ctx),
		dsn:   s.DSN, host: s.Host, port: s.Port, database: s.Database, user: s.User, password: s.Password, plaintext: s.AllowPlaintext,
	}
	if s.TLS != nil {
		var err error
		if s.source.tls, err = keypair.ClientTLS(ctx, *s.TLS); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		if s.source.tls == nil {
			s.source.tls = new(tls.Config) // a block that says nothing else still says TLS
		}
	}
	config, err := s.source.config()
	if err != nil {
		return err
	}
	s.identity = place(config.ConnConfig) + "/" + s.Table
	s.warn(ctx)
	return nil
}

func (s *Postgres) warn(ctx caddy.Context) {
	if placeholder.IsLiteral(s.Password) {
		ctx.Logger().Warn(placeholder.LiteralWarning("password"), s.source.where.Fields()...)
	}
	if literalPassword(s.DSN) {
		ctx.Logger().Warn(placeholder.LiteralWarning("the password of dsn"), s.source.where.Fields()...)
	}
}

// StoreOptions returns the settings that all stores have.
func (s *Postgres) StoreOptions() *guest.Options { return &s.Options }

// Identity names servers, database and tables.
func (s *Postgres) Identity() string { return s.identity }

// Engine returns a new engine, which outlives the configuration.
func (s *Postgres) Engine() (store.Engine, error) {
	return newEngine(s.source, s.Table, s.Durability == "local"), nil
}

var (
	_ caddy.Provisioner     = (*Postgres)(nil)
	_ caddyfile.Unmarshaler = (*Postgres)(nil)
	_ guest.Module          = (*Postgres)(nil)
)
