// Package kubernetes answers how a Kubernetes cluster keeps what replicas share: objects
// as Secrets, leases as Leases, by the REST API and net/http, without client-go.
//
// It knows the Kubernetes API, and the Caddyfile of its own block. It must not know
// clients, nor what the bytes mean.
package kubernetes

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
	"lamplighter/module/store"
	"lamplighter/module/store/guest"
)

func init() { caddy.RegisterModule(Kubernetes{}) }

// Kubernetes keeps records as Secrets of one namespace, and leases as Leases, through the API
// of Kubernetes. In a pod it needs no setting, only rights: if some are missing, the error
// holds the Role that grants them. What it acknowledged is as durable as the cluster's
// etcd; thousands of clients are fine, 100,000 are not. A forward proxy that environment
// variables name is not used.
type Kubernetes struct {
	guest.Options

	// The namespace of the Secrets and Leases. Placeholders are replaced, here and below.
	// Default: the pod's own.
	Namespace string `json:"namespace,omitempty"`

	// What the name of each object begins with: small letters, digits, `-` and dots, 100
	// at most. The name of a client follows if it is a DNS label (RFC 1123), else with `-`
	// for what is none and 8 hexadecimal digits of its SHA-256. Default: `lamplighter-`.
	Prefix string `json:"prefix,omitempty"`

	// Who makes the objects. With `create` the store does, as they are needed: its Role
	// grants that for all Secrets and Leases of the namespace, which had better be one of
	// its own. With `named` they exist already, without data, and the Role names them; all
	// claims share one Secret. Default: `create`.
	Objects string `json:"objects,omitempty"`

	// The URL of the API server; `http://` on loopback, or with `allow_plaintext`.
	// Default: that of the pod's cluster, as KUBERNETES_SERVICE_HOST and
	// KUBERNETES_SERVICE_PORT name it.
	API string `json:"api,omitempty"`

	// A file that holds the bearer token. It is read again each minute, and whenever the
	// API server does not accept the token. Default: the service account's, or none if
	// `api` is set.
	TokenFile string `json:"token_file,omitempty"`

	// A file with the certificates, in PEM, of who signs the API server's. It is read
	// again for each connection. Default: the service account's, or those of the system
	// if `api` is set.
	CAFile string `json:"ca_file,omitempty"`

	conf config
}

// CaddyModule returns the Caddy module information.
func (Kubernetes) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: guest.Namespace + ".kubernetes", New: func() caddy.Module { return new(Kubernetes) }}
}

// config is a store's settings, resolved.
type config struct {
	namespace string // "": the pod's
	prefix    string
	named     bool
	api       *url.URL // nil: the pod's
	tokenFile string
	caFile    string
	account   string        // where the files of the pod's service account are
	lease     time.Duration // as it is written into Leases, for people
}

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

var (
	namespaces = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	prefixes   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*[-.]?$`)
)

// maxPrefix leaves room for a client's name, in the 253 characters that a name may have.
const maxPrefix = 100

// Provision checks the settings. It dials nothing, and needs no pod.
func (s *Kubernetes) Provision(ctx caddy.Context) error {
	if err := s.Options.Provision(); err != nil {
		return err
	}
	r := placeholder.Resolver{Where: placeholder.WhereOf(ctx)}
	s.conf = config{
		namespace: r.Value("namespace", s.Namespace),
		prefix:    r.Value("prefix", s.Prefix),
		named:     s.Objects == "named",
		tokenFile: r.Value("token_file", s.TokenFile),
		caFile:    r.Value("ca_file", s.CAFile),
		account:   serviceAccount,
		lease:     time.Duration(s.Lease),
	}
	api := r.Value("api", s.API)
	if r.Err != nil {
		return r.Err
	}
	if s.conf.prefix == "" {
		s.conf.prefix = "lamplighter-"
	}
	switch {
	case s.conf.namespace != "" && !namespaces.MatchString(s.conf.namespace):
		return fmt.Errorf("namespace %q: it is no name of a namespace: a-z, 0-9 and -", s.conf.namespace)
	case len(s.conf.prefix) > maxPrefix || !prefixes.MatchString(s.conf.prefix):
		return fmt.Errorf("prefix %q: no name of a Secret begins so: a-z, 0-9, - and dots, %d at most", s.conf.prefix, maxPrefix)
	case s.Objects != "" && s.Objects != "create" && s.Objects != "named":
		return fmt.Errorf("objects %q: it is create or named", s.Objects)
	}
	return s.provisionAPI(api)
}

// provisionAPI checks how the API server is reached.
func (s *Kubernetes) provisionAPI(api string) error {
	if s.conf.caFile != "" {
		if _, err := readCA(s.conf.caFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("ca_file: %w", err)
		}
	}
	if api == "" {
		return nil
	}
	u, err := url.Parse(api)
	switch {
	case err != nil:
		return errors.New("api: it is no URL") // whose error would repeat it
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return errors.New("api: it is the URL of an API server, such as https://10.0.0.1:6443")
	case u.User != nil:
		return errors.New("api: a URL with a password is no place for a secret: write token_file")
	case u.Scheme == "http" && !target.IsLoopback(u.Hostname()) && !s.AllowPlaintext:
		return fmt.Errorf("api: http:// would show refresh tokens to the network on the way to %s: write https://, or allow_plaintext if that network is trusted", u.Host)
	}
	s.conf.api = u
	return nil
}

// UnmarshalCaddyfile reads the store's options. Syntax:
//
//	store kubernetes {
//	    namespace       <namespace>
//	    prefix          <prefix>
//	    objects         create|named
//	    api             <url>
//	    token_file      <file>
//	    ca_file         <file>
//	    encryption_key  <file>...
//	    lease           <duration>
//	    op_timeout      <duration>
//	    poll            <duration>
//	    allow_plaintext
//	}
func (s *Kubernetes) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	texts := map[string]*string{
		"namespace": &s.Namespace, "prefix": &s.Prefix, "objects": &s.Objects,
		"api": &s.API, "token_file": &s.TokenFile, "ca_file": &s.CAFile,
	}
	return guest.UnmarshalBlock(d, func() error {
		if to, ok := texts[d.Val()]; ok {
			return guest.UnmarshalText(d, to)
		}
		known, err := s.UnmarshalOption(d)
		if err == nil && !known {
			return guest.UnknownOption(d, "namespace", "prefix", "objects", "api", "token_file", "ca_file")
		}
		return err
	})
}

// StoreOptions returns the settings that all stores have.
func (s *Kubernetes) StoreOptions() *guest.Options { return &s.Options }

// PlainRecords is "": records are Secrets, which the cluster guards, and encrypts if it is told to.
func (s *Kubernetes) PlainRecords() string { return "" }

// Identity names the place: API server, namespace, prefix, and how objects are made.
func (s *Kubernetes) Identity() string {
	api, objects := "pod", "create"
	if s.conf.api != nil {
		api = s.conf.api.String()
	}
	if s.conf.named {
		objects = "named"
	}
	return fmt.Sprintf("%s namespace %q prefix %s objects %s", api, s.conf.namespace, s.conf.prefix, objects)
}

// Engine returns a new engine. It dials nothing.
func (s *Kubernetes) Engine() (store.Engine, error) { return newEngine(s.conf), nil }

// readCA reads certificates in PEM.
func readCA(name string) (*x509.CertPool, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", name)
	}
	return pool, nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Kubernetes)(nil)
	_ caddy.Provisioner     = (*Kubernetes)(nil)
	_ guest.Maker           = (*Kubernetes)(nil)
)
