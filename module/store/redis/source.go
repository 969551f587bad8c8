package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
	"lamplighter/module/store"
)

const (
	// dialTimeout bounds a connection that nobody answers, so that one which was begun
	// while the network was cut is not waited for after that.
	dialTimeout = 3 * time.Second

	// ioTimeout bounds an answer for who sets no end.
	ioTimeout = 10 * time.Second

	// connections bounds the pool.
	connections = 16
)

// source says how to connect, as it was written. It is immutable.
type source struct {
	where                              placeholder.Where
	addresses                          []string
	sentinel                           string
	sentinelUsername, sentinelPassword string
	username, password                 string
	database                           int
	tls                                *tls.Config
	plaintext                          bool
}

// place names servers and database.
func (s *source) place() string {
	at := strings.Join(s.addresses, ",")
	if s.sentinel != "" {
		at += "/" + s.sentinel
	}
	return at + "/" + strconv.Itoa(s.database)
}

// secure refuses to send a password and refresh tokens where others can read them.
func (s *source) secure(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("address %s is no host:port", redact.Quote(address))
	}
	if s.tls == nil && !s.plaintext && !target.IsLoopback(host) {
		return fmt.Errorf("the connection to %s would be without TLS: write a tls block, or allow_plaintext if nobody can listen on that network", redact.Quote(host))
	}
	return nil
}

// credentials are user and password as they are now.
func (s *source) credentials() (username, password string, err error) {
	r := placeholder.Resolver{Where: s.where}
	username, password = r.Value("username", s.username), r.Value("password", s.password)
	redact.Remember(password)
	return username, password, r.Err
}

// sentinelCredentials are those for the Sentinels as they are now.
func (s *source) sentinelCredentials() (username, password string, err error) {
	r := placeholder.Resolver{Where: s.where}
	username, password = r.Value("sentinel_username", s.sentinelUsername), r.Value("sentinel_password", s.sentinelPassword)
	redact.Remember(password)
	return username, password, r.Err
}

// dial connects. Sentinels tell addresses that nobody has seen before.
func (s *source) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := s.secure(address); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || s.tls == nil {
		return conn, err
	}
	config := s.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", redact.Quote(address), err)
	}
	return secured, nil
}

// client connects when it is used. It repeats nothing: a compare-and-swap whose answer was
// lost would be a conflict with itself.
func (s *source) client() (*redis.Client, error) {
	sentinelUsername, sentinelPassword, err := s.sentinelCredentials()
	if err != nil {
		return nil, err
	}
	credentials := func(context.Context) (string, string, error) {
		username, password, err := s.credentials()
		if err != nil {
			err = fmt.Errorf("%w: %w", store.ErrRefused, err)
		}
		return username, password, err
	}
	if s.sentinel != "" {
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: s.sentinel, SentinelAddrs: s.addresses, SentinelUsername: sentinelUsername, SentinelPassword: sentinelPassword,
			Dialer: s.dial, CredentialsProviderContext: credentials, DB: s.database, Protocol: 2,
			MaxRetries: -1, ContextTimeoutEnabled: true, DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
			PoolSize: connections, PipelinePoolSize: -1, ConnMaxIdleTime: 5 * time.Minute, DisableIdentity: true,
		}), nil
	}
	return redis.NewClient(&redis.Options{
		Addr: s.addresses[0], Dialer: s.dial, CredentialsProviderContext: credentials, DB: s.database, Protocol: 2,
		MaxRetries: -1, ContextTimeoutEnabled: true, DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		PoolSize: connections, PipelinePoolSize: -1, ConnMaxIdleTime: 5 * time.Minute, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}
