// Package redis keeps what replicas share in Redis or Valkey: how an object and a lease
// are hashes there, news of a change a message, and whether a server can be trusted with
// them.
//
// It knows Redis, and the contract of package store. It must not know what the bytes mean,
// nor clients.
package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/redis/go-redis/v9/logging"

	"lamplighter/module/internal/redact"
	"lamplighter/module/keypair"
	"lamplighter/module/placeholder"
	"lamplighter/module/store"
	"lamplighter/module/store/guest"
)

func init() {
	caddy.RegisterModule(Redis{})
	logging.Disable() // the library's own lines on stderr: what it knows is in its errors
}

// Redis keeps the records of clients in Redis 7.0 or newer, or in Valkey, so that many
// replicas share one grant. By itself Redis loses acknowledged writes when it crashes, and
// when a replica takes the place of the primary; a refresh token that is lost this way
// locks the application out. So `durability` has to say what keeps them, and is proved.
//
// Redis Cluster cannot be used.
type Redis struct {
	guest.Options

	// The server as `host:port`; with `sentinel`, the Sentinels. Placeholders are
	// replaced once. Default port: `6379`, of Sentinels `26379`. Required.
	Address []string `json:"address,omitempty"`

	// The name of the primary as the Sentinels know it. Placeholders are replaced once.
	// Default: `address` is the primary itself.
	Sentinel string `json:"sentinel,omitempty"`

	// The user for the Sentinels themselves, where they demand one. `{env.*}` and
	// `{file.*}` are read once, when the store is opened. Default: none.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// The password for the Sentinels themselves, read as `sentinel_username` is.
	// Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// The user of Redis's access control list. `{env.*}` and `{file.*}` are read anew
	// for each connection. Default: `default`.
	Username string `json:"username,omitempty"`

	// The user's password, best as `{file.*}` or `{env.*}`, which are read anew for each
	// connection. Default: none.
	Password string `json:"password,omitempty"`

	// The number of the database. Default: `0`.
	Database int `json:"database,omitempty"`

	// TLS to the server and to Sentinels: certificate authorities, client certificate,
	// server name. The client certificate's files are read again for each handshake. The
	// server's certificate is verified, its name or address too. Default: no TLS, which
	// only a server on loopback may be reached by.
	TLS *reverseproxy.TLSConfig `json:"tls,omitempty"`

	// What the names of all keys begin with, and of the channel that tells of changes.
	// Default: `lamplighter:`.
	Prefix string `json:"prefix,omitempty"`

	// What keeps an acknowledged write. `aof`: the server's append-only file, proved
	// after each write by `WAITAOF`, or before Redis 7.2 by `appendfsync always`; for a
	// server without replicas, which nothing takes the place of. `replicas`: as many
	// replicas as `replicas` says, which each write waits for. `managed`: the word of
	// the operator, for a service that keeps acknowledged writes itself; nothing is
	// proved. Required.
	Durability string `json:"durability,omitempty"`

	// With `durability` `replicas`, how many replicas must have each write. With the
	// primary they must be a majority of all servers, and `min-replicas-to-write` at
	// least as many. In a Caddyfile, `durability replicas <n>`.
	Replicas int `json:"replicas,omitempty"`

	source *source
}

// What keeps an acknowledged write.
const (
	byFile     = "aof"
	byReplicas = "replicas"
	byOthers   = "managed"
)

// CaddyModule returns the module's information.
func (Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  guest.Namespace + ".redis",
		New: func() caddy.Module { return new(Redis) },
	}
}

// UnmarshalCaddyfile reads the store's options. Syntax:
//
//	store redis {
//	    address           <host:port>...
//	    sentinel          <name of the primary>
//	    sentinel_username <user>
//	    sentinel_password <password>
//	    username          <user>
//	    password          <password>
//	    database          <number>
//	    tls {
//	        <option of a transport's tls, without tls_>...
//	    }
//	    prefix            <prefix>
//	    durability        aof|managed|replicas <n>
//	    encryption_key    <file>...
//	    lease             <duration>
//	    op_timeout        <duration>
//	    poll              <duration>
//	    allow_plaintext
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return guest.UnmarshalBlock(d, func() error { return r.unmarshalLine(d) }, "address")
}

func (r *Redis) unmarshalLine(d *caddyfile.Dispenser) (err error) {
	switch d.Val() {
	case "address":
		return guest.UnmarshalTexts(d, &r.Address)
	case "sentinel":
		return guest.UnmarshalText(d, &r.Sentinel)
	case "sentinel_username":
		return guest.UnmarshalText(d, &r.SentinelUsername)
	case "sentinel_password":
		return guest.UnmarshalText(d, &r.SentinelPassword)
	case "username":
		return guest.UnmarshalText(d, &r.Username)
	case "password":
		return guest.UnmarshalText(d, &r.Password)
	case "database":
		return unmarshalNumber(d, &r.Database)
	case "tls":
		r.TLS, err = guest.UnmarshalTLS(d)
		return err
	case "prefix":
		return guest.UnmarshalText(d, &r.Prefix)
	case "durability":
		return r.unmarshalDurability(d)
	}
	known, err := r.UnmarshalOption(d)
	if err == nil && !known {
		return guest.UnknownOption(d, "address", "sentinel", "sentinel_username", "sentinel_password", "username", "password", "database", "tls", "prefix", "durability")
	}
	return err
}

func (r *Redis) unmarshalDurability(d *caddyfile.Dispenser) error {
	var args []string
	if err := guest.UnmarshalTexts(d, &args); err != nil {
		return err
	}
	switch {
	case len(args) == 1:
		r.Durability = args[0] // replicas without a number is told by check
		return nil
	case len(args) != 2 || args[0] != byReplicas:
		return d.ArgErr()
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return d.Errf("replicas takes a number")
	}
	r.Durability, r.Replicas = args[0], n
	return nil
}

func unmarshalNumber(d *caddyfile.Dispenser, to *int) (err error) {
	setting := d.Val()
	var text string
	if err := guest.UnmarshalText(d, &text); err != nil {
		return err
	}
	if *to, err = strconv.Atoi(text); err != nil || *to < 0 {
		return d.Errf("%s takes a number", setting)
	}
	return nil
}

// Provision checks the settings. It dials nothing.
func (r *Redis) Provision(ctx caddy.Context) error {
	if err := r.Options.Provision(); err != nil {
		return err
	}
	if r.Prefix == "" {
		r.Prefix = "lamplighter:"
	}
	if err := r.check(); err != nil {
		return err
	}
	where := placeholder.WhereOf(ctx)
	resolver := placeholder.Resolver{Where: where}
	addresses := make([]string, 0, len(r.Address))
	for _, address := range resolver.Values("address", r.Address) {
		if address == "" && len(resolver.Missing) > 0 {
			continue
		}
		addresses = append(addresses, withPort(address, r.Sentinel != ""))
	}
	sentinel := resolver.Value("sentinel", r.Sentinel)
	if resolver.Err != nil {
		return resolver.Err
	}
	r.source = &source{
		where:     where,
		addresses: addresses, sentinel: sentinel, sentinelUsername: r.SentinelUsername, sentinelPassword: r.SentinelPassword,
		username: r.Username, password: r.Password, database: r.Database, plaintext: r.AllowPlaintext,
	}
	if r.TLS != nil {
		var err error
		if r.source.tls, err = keypair.ClientTLS(ctx, *r.TLS); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		if r.source.tls == nil {
			r.source.tls = new(tls.Config) // a block that says nothing else still says TLS
		}
	}
	for _, address := range addresses {
		if err := r.source.secure(address); err != nil {
			return err
		}
	}
	for setting, value := range map[string]string{"password": r.Password, "sentinel_password": r.SentinelPassword} {
		if placeholder.IsLiteral(value) {
			ctx.Logger().Warn(placeholder.LiteralWarning(setting), where.Fields()...)
		}
	}
	if _, _, err := r.source.credentials(); err != nil {
		return err
	}
	_, _, err := r.source.sentinelCredentials()
	return err
}

func (r *Redis) check() error {
	switch {
	case len(r.Address) == 0:
		return errors.New("address is missing: write 'address redis.example.com:6379'")
	case len(r.Address) > 1 && r.Sentinel == "":
		return errors.New("several addresses are those of Sentinels: name the primary with 'sentinel <name>'; Redis Cluster cannot be used, because no durability can be proved of it")
	case r.Database < 0:
		return errors.New("database must not be negative")
	case strings.ContainsAny(r.Prefix, "{}"):
		return errors.New("prefix must have no braces: those around a client's name follow it")
	case len(r.Prefix) > 100 || redact.Visible(r.Prefix) != r.Prefix:
		return errors.New("prefix must be at most 100 printable characters")
	case (r.SentinelUsername != "" || r.SentinelPassword != "") && r.Sentinel == "":
		return errors.New("sentinel_username and sentinel_password need 'sentinel <name of the primary>'")
	case r.TLS != nil && r.TLS.ClientCertificateAutomate != "":
		return errors.New("tls: a client certificate is given by its files here: 'client_auth <cert_file> <key_file>'")
	case r.Replicas != 0 && r.Durability != byReplicas:
		return errors.New("replicas needs durability replicas")
	}
	switch r.Durability {
	case byFile:
		if r.Sentinel != "" {
			return errors.New("durability aof keeps nothing when Sentinel replaces the primary: write 'durability replicas <n>'")
		}
	case byReplicas:
		if r.Replicas < 1 {
			return errors.New("durability replicas needs how many must have each write: with three servers, 'durability replicas 1'")
		}
	case byOthers:
	case "":
		return errors.New("durability is missing: Redis by itself loses acknowledged writes, and with them the grant; write 'durability aof' for one server with an append-only file, 'durability replicas <n>' for a primary with replicas, or 'durability managed' if the service promises to keep them")
	default:
		return errors.New("durability must be aof, replicas <n> or managed")
	}
	return nil
}

// withPort adds the usual port to an address that has none.
func withPort(address string, sentinel bool) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	port := "6379"
	if sentinel {
		port = "26379"
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}

// StoreOptions returns the settings that all stores have.
func (r *Redis) StoreOptions() *guest.Options { return &r.Options }

// Identity names servers, database and keys.
func (r *Redis) Identity() string { return r.source.place() + "/" + r.Prefix }

// Engine returns a new engine, which outlives the configuration.
func (r *Redis) Engine() (store.Engine, error) {
	return newEngine(r.source, r.Prefix, durability{kind: r.Durability, replicas: r.Replicas}), nil
}

var (
	_ caddy.Provisioner     = (*Redis)(nil)
	_ caddyfile.Unmarshaler = (*Redis)(nil)
	_ guest.Module          = (*Redis)(nil)
)
