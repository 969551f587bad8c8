// Package guest says what the engine of a store is as a Caddy guest module, of the
// namespace oauth2_client.stores: what all of them can be told, and what the app asks
// of them.
//
// It knows Caddy and the contract of engines. It must not know any engine, nor clients.
package guest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/nearest"
	"lamplighter/module/store"
)

// Namespace is that of the modules; the rest of a module's ID is the kind of the store.
const Namespace = "oauth2_client.stores"

// Module is the engine of a store as a module. It is provisioned like any other: that
// checks the settings and dials nothing.
type Module interface {
	caddy.Module

	// StoreOptions returns the settings that all stores have.
	StoreOptions() *Options

	// Identity names the place where objects are kept: server, database, prefix, and
	// nothing secret. Two modules of the same kind and identity are one store, which
	// is opened once, whatever configuration they belong to.
	Identity() string

	// PlainRecords is a warning if who reads the place is shown records as they are; "" if
	// they are encrypted, or if the place is made for secrets. Options has it.
	PlainRecords() string

	// Engine returns a new engine. It dials nothing, and does not depend on the
	// configuration that the module belongs to: it may outlive that.
	Engine() (store.Engine, error)
}

// Maker is a module whose objects have to be made by somebody else, if its settings say
// so.
type Maker interface {
	Module

	// Manifest is what clients of these names need, for whoever applies it with the tool
	// that the server has for that.
	Manifest(clients []string) string
}

// Options are the settings that the engines of shared stores have in common. They are
// embedded in an engine's module.
type Options struct {
	// EncryptionKeys are files with age identities, as age-keygen writes them. Records
	// are encrypted for all of them, and read with any: add a new key everywhere, then
	// remove the old one. Default: records are not encrypted.
	EncryptionKeys []string `json:"encryption_key,omitempty"`

	// Lease is how long a holder that does not renew its lease keeps others from taking
	// it over. Default: 15s; at least 1s.
	Lease caddy.Duration `json:"lease,omitempty"`

	// OpTimeout bounds one call of the store. Default: 2s; at most a third of the
	// lease.
	OpTimeout caddy.Duration `json:"op_timeout,omitempty"`

	// Poll is how often all versions are compared, whatever was told of changes.
	// Default: 30s.
	Poll caddy.Duration `json:"poll,omitempty"`

	// AllowPlaintext allows a connection without TLS beyond loopback, which trusts the
	// network with refresh tokens. Default: false.
	AllowPlaintext bool `json:"allow_plaintext,omitempty"`
}

// Defaults of [Options].
const (
	DefaultLease     = 15 * time.Second
	DefaultOpTimeout = 2 * time.Second
	DefaultPoll      = 30 * time.Second
)

// Provision checks the options and sets their defaults.
func (o *Options) Provision() error {
	for _, d := range []struct {
		value   *caddy.Duration
		def     time.Duration
		setting string
	}{{&o.Lease, DefaultLease, "lease"}, {&o.OpTimeout, DefaultOpTimeout, "op_timeout"}, {&o.Poll, DefaultPoll, "poll"}} {
		switch {
		case *d.value < 0:
			return fmt.Errorf("%s must not be negative", d.setting)
		case *d.value == 0:
			*d.value = caddy.Duration(d.def)
		}
	}
	switch lease := time.Duration(o.Lease); {
	case lease < time.Second:
		return errors.New("lease must be at least 1s")
	case time.Duration(o.OpTimeout) > lease/3:
		return fmt.Errorf("op_timeout must be at most a third of the lease: %s", lease/3)
	}
	return nil
}

// PlainRecords is a warning if records are not encrypted: a key that tokens are bound to lies beside
// those.
func (o *Options) PlainRecords() string {
	if len(o.EncryptionKeys) > 0 {
		return ""
	}
	return "records are not encrypted: whoever reads the store, or a backup of it, has the tokens of its clients, and the keys that they are bound to (dpop); " +
		"add 'encryption_key <file>' on all replicas, with a file that 'age-keygen -o <file>' makes"
}

// CheckPlaintext returns an error if a connection without TLS to that host, or path of a
// unix socket, trusts the network with secrets, and that is not allowed.
func (o *Options) CheckPlaintext(host string) error {
	if o.AllowPlaintext || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && addr.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("refresh tokens would go to %s without TLS: add 'tls', or 'allow_plaintext' if everybody on that network may read them", strconv.Quote(host))
}

// Unknown is the error of a kind of store that this binary does not have.
func Unknown(kind string) error {
	modules := caddy.GetModules(Namespace)
	kinds := make([]string, 0, len(modules))
	for _, m := range modules {
		kinds = append(kinds, m.ID.Name())
	}
	slices.Sort(kinds)
	return fmt.Errorf("store %s is unknown%s: this binary has %s; another kind is built in with its package, 'xcaddy build --with lamplighter --with <package>'", strconv.Quote(kind), nearest.Hint(kind, kinds...), strings.Join(kinds, ", "))
}
