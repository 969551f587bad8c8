package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
	"lamplighter/module/store"
)

const (
	// maxConnections bounds what one process takes of a server's connections, of which
	// it has a hundred unless somebody says otherwise.
	maxConnections = 8

	// connectTimeout bounds a connection that nobody answers, so that one which was
	// begun while the network was cut is not waited for after that.
	connectTimeout = 3 * time.Second
)

// source says how to connect, as it was written. It is immutable.
type source struct {
	where                          placeholder.Where
	dsn                            string
	host, database, user, password string
	port                           uint16
	tls                            *tls.Config
	plaintext                      bool
}

var (
	saysMode     = regexp.MustCompile(`(?:^|[?&\s])sslmode\s*=`)
	saysPool     = regexp.MustCompile(`(?:^|[?&\s])pool_max_conns\s*=`)
	saysPassword = regexp.MustCompile(`(?:^|[?&\s])password\s*=\s*([^\s&]+)`)

	errDSN = errors.New("dsn cannot be read: write postgres://user:password@host:port/database, with %XX for special characters, or key=value pairs such as host=db user=lamplighter password='it''s'")
)

func literalPassword(dsn string) bool {
	if named := saysPassword.FindStringSubmatch(dsn); named != nil {
		return placeholder.IsLiteral(named[1])
	}
	return placeholder.HasLiteralPassword(dsn)
}

// joined are the arguments of an option as one text. Blanks in one of them stay where
// they are: it is a pair's value, whose quotes the Caddyfile took.
func joined(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	for i, arg := range args {
		if key, value, ok := strings.Cut(arg, "="); ok && strings.ContainsAny(value, " \t") && !strings.HasPrefix(value, "'") {
			args[i] = key + "=" + quoted(value)
		}
	}
	return strings.Join(args, " ")
}

// quoted is a value of a key=value pair.
func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// config is how to connect now: placeholders have the values of this moment.
func (s *source) config() (*pgxpool.Config, error) {
	text, password, err := s.resolve()
	if err != nil {
		return nil, err
	}
	config, err := s.parse(text)
	if err != nil {
		return nil, err
	}
	if password != "" {
		config.ConnConfig.Password = password
	}
	redact.Remember(config.ConnConfig.Password)
	if err := s.secure(config.ConnConfig); err != nil {
		return nil, err
	}
	c := config.ConnConfig
	c.ValidateConnect = current
	c.OnNotice = noticed
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // no prepared statements, which poolers may not have
	if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
		c.ConnectTimeout = connectTimeout
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "lamplighter"
	}
	if !saysPool.MatchString(text) {
		config.MaxConns = maxConnections
	}
	config.MaxConnIdleTime = 5 * time.Minute
	config.PingTimeout = time.Second
	return config, nil
}

// resolve returns the settings as a connection string, and the password if it is a setting
// of its own.
func (s *source) resolve() (text, password string, err error) {
	r := placeholder.Resolver{Where: s.where}
	if s.dsn != "" {
		text = strings.TrimSpace(r.Value("dsn", s.dsn))
		return text, "", r.Err
	}
	pairs := make([]string, 0, 4)
	for _, pair := range [][2]string{
		{"host", r.Value("host", s.host)}, {"dbname", r.Value("database", s.database)}, {"user", r.Value("user", s.user)},
	} {
		if pair[1] != "" {
			pairs = append(pairs, pair[0]+"="+quoted(pair[1]))
		}
	}
	if s.port != 0 {
		pairs = append(pairs, "port="+strconv.Itoa(int(s.port)))
	}
	return strings.Join(pairs, " "), r.Value("password", s.password), r.Err
}

// parse reads a connection string. Without an sslmode, it is verify-full unless all hosts
// are this machine.
func (s *source) parse(text string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, readable(err)
	}
	said := saysMode.MatchString(text)
	switch {
	case said && s.tls != nil:
		return nil, errors.New("dsn has an sslmode, and there is a tls block: give one of them")
	case said, os.Getenv("PGSSLMODE") != "" && s.tls == nil, s.tls == nil && allHere(config.ConnConfig):
		return config, nil
	}
	config, err = pgxpool.ParseConfig(with(text, "sslmode=verify-full"))
	return config, readable(err)
}

// with adds a setting to a connection string.
func with(text, setting string) string {
	if !strings.Contains(text, "://") {
		return text + " " + setting
	}
	if strings.Contains(text, "?") {
		return text + "&" + setting
	}
	return text + "?" + setting
}

// readable is what may be said of a connection string that cannot be parsed: its own
// error may quote a part that is a password.
func readable(err error) error {
	if err == nil {
		return nil
	}
	if missing := new(fs.PathError); errors.As(err, &missing) {
		return fmt.Errorf("dsn: %w", missing)
	}
	return errDSN
}

// secure puts the settings of TLS where they belong, and refuses to send a password and
// refresh tokens where others can read them.
func (s *source) secure(c *pgx.ConnConfig) error {
	hosts := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	for _, host := range hosts {
		if s.tls != nil && host.TLSConfig != nil {
			config := s.tls.Clone()
			if config.ServerName == "" {
				config.ServerName = host.Host
			}
			host.TLSConfig = config
		}
		if host.TLSConfig == nil && !here(host.Host) && !s.plaintext {
			return fmt.Errorf("the connection to %s would be without TLS, or may become so: write sslmode=verify-full into dsn, or a tls block, or allow_plaintext if nobody can listen on that network", redact.Quote(host.Host))
		}
	}
	c.TLSConfig, c.Fallbacks = hosts[0].TLSConfig, hosts[1:]
	return nil
}

// here reports whether a host is this machine, by loopback or a socket's directory.
func here(host string) bool { return strings.HasPrefix(host, "/") || target.IsLoopback(host) }

func allHere(c *pgx.ConnConfig) bool {
	for _, f := range c.Fallbacks {
		if !here(f.Host) {
			return false
		}
	}
	return here(c.Host)
}

// place names servers and database.
func place(c *pgx.ConnConfig) string {
	list := []string{net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))}
	for _, f := range c.Fallbacks {
		if at := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); at != list[len(list)-1] {
			list = append(list, at)
		}
	}
	return strings.Join(list, ",") + "/" + c.Database
}

// writable refuses a server that takes no writes, so that the next host is tried.
func writable(ctx context.Context, c *pgconn.PgConn) error {
	result := c.ExecParams(ctx, "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')", nil, nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		return result.Err
	case len(result.Rows) != 1 || len(result.Rows[0]) != 2:
		return fmt.Errorf("%w: it does not say whether it is a standby", store.ErrUnsafe)
	case string(result.Rows[0][0]) == "t":
		return errStandby
	case string(result.Rows[0][1]) == "on":
		return errReadOnly
	}
	return nil
}

var (
	errStandby  = fmt.Errorf("%w: the server is a read-only standby: name the primary in dsn, or all servers, of which the primary is chosen", store.ErrUnsafe)
	errReadOnly = fmt.Errorf("%w: the session is read-only: set default_transaction_read_only to off for this role and database", store.ErrUnsafe)
)
